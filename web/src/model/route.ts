// The view and its parameters, in the fragment of the address: every view is a link.

import { computed, signal } from "@preact/signals";

export interface Route {
  /** Segments of the path, decoded: ["services", "shop/backend"]. */
  path: readonly string[];
  query: URLSearchParams;
}

const fragment = signal(location.hash);
addEventListener("hashchange", () => {
  fragment.value = location.hash;
});

export const route = computed<Route>(() => {
  const [path = "", query = ""] = fragment.value.replace(/^#\/?/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean).map(decoded), query: new URLSearchParams(query) };
});

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A link to a view: link("services", "shop/backend") is #/services/shop%2Fbackend. */
export function link(view: string, id = "", query: Record<string, string | null | undefined> = {}): string {
  const given = Object.entries(query).filter((pair): pair is [string, string] => Boolean(pair[1]));
  const text = new URLSearchParams(given).toString();
  return `#/${view}${id && `/${encodeURIComponent(id)}`}${text && `?${text}`}`;
}

export function go(to: string): void {
  location.hash = to;
  // Its event comes later; a key that is pressed before means the new view.
  fragment.value = location.hash;
}

/** Change parameters of the view in place, without an entry in the history. */
export function setQuery(values: Record<string, string | null>): void {
  const { path, query } = route.peek();
  const changed = new URLSearchParams(query);
  for (const [name, value] of Object.entries(values)) {
    if (value) changed.set(name, value);
    else changed.delete(name);
  }
  const text = changed.toString();
  history.replaceState(null, "", `#/${path.map(encodeURIComponent).join("/")}${text && `?${text}`}`);
  fragment.value = location.hash;
}
