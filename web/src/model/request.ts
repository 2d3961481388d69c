// Requests to the API of the server that the page comes from.

import { signal } from "@preact/signals";

/** Whether the server asks for the admin token. */
export const locked = signal(false);

/** Whether the server knows this page by the session of its login form. */
export const inSession = signal(false);

export function noteSession(response: Response): void {
  inSession.value = response.headers.get("steerway-session") === "open";
}

export class RequestError extends Error {
  constructor(
    message: string,
    readonly status: number,
    readonly nearest: readonly string[] = [],
  ) {
    super(message);
  }
}

export type Query = Record<string, string | number | undefined>;

/** A path below the page's own address, which a proxy may have put under a prefix. */
export function address(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return path.replace(/^\//, "") + (text && `?${text}`);
}

/** The document at a path. Throws RequestError; a 401 shows the login form as well. */
export async function read<T>(path: string, query: Query = {}, abort?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(address(path, query), abort ? { signal: abort } : {});
  } catch (error) {
    if (abort?.aborted) throw error;
    throw new RequestError("The server does not answer.", 0);
  }
  if (response.ok) return (await response.json()) as T;
  if (response.status === 401) locked.value = true;
  const body = (await response.json().catch(() => ({}))) as { error?: string; nearest?: string[] };
  throw new RequestError(body.error ?? `The server answers ${response.status}.`, response.status, body.nearest ?? []);
}

/** Exchange the token for a session. Returns the reason of a refusal, or null. */
export async function logIn(token: string): Promise<string | null> {
  const response = await fetch("login", { method: "POST", body: new URLSearchParams({ token }) }).catch(() => null);
  if (response === null) return "The server does not answer.";
  if (!response.ok) {
    const body = (await response.json().catch(() => ({}))) as { error?: string };
    return body.error ?? `The server answers ${response.status}.`;
  }
  locked.value = false;
  return null;
}

export async function logOut(): Promise<void> {
  await fetch("logout", { method: "POST" }).catch(() => null);
  location.reload();
}
