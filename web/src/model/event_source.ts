// Server-sent events over fetch: unlike EventSource it shows the status of a refusal, and comments count as signs of life.

import { signal } from "@preact/signals";
import { address, locked, noteSession } from "./request";

export type Connection = "connecting" | "live" | "stale";

const SILENCE_MS = 40_000; // the server sends a comment every 15 s
const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;

export interface Message {
  topic: string;
  data: unknown;
}

/** The messages in the text of a stream, and the part behind the last complete one. */
export function parse(text: string): [Message[], string] {
  const blocks = text.split("\n\n");
  const rest = blocks.pop() ?? "";
  const messages: Message[] = [];
  for (const block of blocks) {
    let topic = "message";
    const data: string[] = [];
    for (const line of block.split("\n")) {
      if (line.startsWith("event:")) topic = line.slice(6).trim();
      else if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
    }
    if (data.length) messages.push({ topic, data: JSON.parse(data.join("\n")) });
  }
  return [messages, rest];
}

/** A connection to /api/v1/events that is opened again, with growing delays, until `close`. */
export class Events {
  readonly connection = signal<Connection>("connecting");
  /** Why there is no connection, for people. */
  readonly reason = signal("");
  private abort = new AbortController();
  private closed = false;
  private failures = 0;
  private hurry = false;
  private wake: () => void = () => undefined;

  constructor(
    private readonly topics: readonly string[],
    private readonly receive: (messages: Message[]) => void,
  ) {
    void this.run();
  }

  close(): void {
    this.closed = true;
    this.abort.abort();
    this.wake();
  }

  /** Connect now instead of after the delay. */
  retry(): void {
    this.failures = 0;
    this.hurry = true;
    this.wake();
  }

  private async run(): Promise<void> {
    while (!this.closed) {
      const reason = await this.once().catch((error: unknown) => (error instanceof Error ? error.message : "closed"));
      if (this.closed) return;
      this.reason.value = reason;
      if (this.failures > 0 || this.connection.value === "live") this.connection.value = "stale";
      const delay = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.failures) * (0.75 + Math.random() / 2);
      this.failures += 1;
      if (!this.hurry) await this.pause(delay);
      this.hurry = false;
    }
  }

  /** Wait, unless `wake` is called. */
  private pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  /** One connection, until it ends; returns why. */
  private async once(): Promise<string> {
    this.abort = new AbortController();
    let watchdog = setTimeout(() => this.abort.abort(), SILENCE_MS);
    try {
      const response = await fetch(address("/api/v1/events", { topics: this.topics.join(",") }), {
        signal: this.abort.signal,
        headers: { accept: "text/event-stream" },
      });
      if (response.status === 401) locked.value = true;
      noteSession(response);
      if (!response.ok || !response.body) return `the server answers ${response.status}`;
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return "the server closed the connection";
        clearTimeout(watchdog);
        watchdog = setTimeout(() => this.abort.abort(), SILENCE_MS);
        let messages: Message[];
        [messages, rest] = parse((rest + value).replaceAll("\r\n", "\n"));
        this.failures = 0;
        this.connection.value = "live";
        if (messages.length) this.receive(messages);
      }
    } catch {
      return "the server does not answer";
    } finally {
      clearTimeout(watchdog);
    }
  }
}
