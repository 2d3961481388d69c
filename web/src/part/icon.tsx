// Icons: each state has a shape of its own, so that it is not known by its colour alone.

import type { ComponentChildren } from "preact";
import type { ChangeKind, EndpointState, ServiceState, State } from "../model/contract";

const CROSS = <path d="M5 5l6 6M11 5l-6 6" class="ink" />;
const CHECK = <path d="M4.6 8.4l2.3 2.3 4.5-5" class="ink" />;
const OCTAGON = <path d="M5.2 1.2h5.6l4 4v5.6l-4 4H5.2l-4-4V5.2z" class="fill" />;
const CIRCLE = <circle cx="8" cy="8" r="6.8" class="fill" />;

const STATE: Record<State, ComponentChildren> = {
  refused: [OCTAGON, CROSS],
  waiting: [<circle cx="8" cy="8" r="6" class="line" stroke-dasharray="2.4 2.3" />, <circle cx="8" cy="8" r="1.6" class="fill" />],
  behind: [<circle cx="8" cy="8" r="6" class="line" />, <path d="M8 2a6 6 0 0 1 0 12z" class="fill" />],
  absent: [<path d="M8 1.5L14.5 8 8 14.5 1.5 8z" class="line" />, <path d="M8 5v3.5M8 10.6v.2" class="line" />],
  in_sync: [CIRCLE, CHECK],
};

const SERVICE: Record<ServiceState, ComponentChildren> = {
  error: [OCTAGON, CROSS],
  warning: [<path d="M8 1.3l7 12.9H1z" class="fill" />, <path d="M8 5.8v3.8M8 11.8v.2" class="ink" />],
  ok: [CIRCLE, CHECK],
  idle: <circle cx="8" cy="8" r="5.6" class="line" />,
};

const ENDPOINT: Record<EndpointState, ComponentChildren> = {
  healthy: <rect x="2" y="2" width="12" height="12" rx="2.5" class="fill" />,
  draining: [<rect x="2.7" y="2.7" width="10.6" height="10.6" rx="2" class="line" />, <path d="M3 13L13 3v10z" class="fill" />],
  unready: <rect x="2.7" y="2.7" width="10.6" height="10.6" rx="2" class="line" />,
};

const CHANGE: Record<ChangeKind, ComponentChildren> = {
  change: <circle cx="8" cy="8" r="4.6" class="fill" />,
  start: <path d="M4 2.5l9.5 5.5L4 13.5z" class="fill" />,
  nack: [OCTAGON, CROSS],
  eviction: [<rect x="2.5" y="2.5" width="11" height="11" rx="2" class="line" />, <path d="M5.5 8h5" class="line" />],
  limit: <path d="M8 1.8l6.8 12H1.2z" class="line" />,
};

export const STATE_TEXT: Record<State | ServiceState | EndpointState | ChangeKind, string> = {
  refused: "refused",
  waiting: "waiting",
  behind: "behind",
  absent: "with absent names",
  in_sync: "in sync",
  error: "error",
  warning: "warning",
  ok: "ok",
  idle: "no clients",
  healthy: "healthy",
  draining: "draining",
  unready: "not ready",
  change: "change",
  start: "start",
  nack: "refusal",
  eviction: "eviction",
  limit: "limit",
};

export const STATE_HINT: Partial<Record<string, string>> = {
  refused: "The client rejected the newest response (NACK).",
  waiting: "A subscribed name has no answer yet.",
  behind: "The newest response is not acknowledged yet.",
  absent: "A subscribed name does not exist.",
  in_sync: "Everything that was sent is acknowledged.",
};

type Kind = State | ServiceState | EndpointState | ChangeKind;
const SHAPES: Record<Kind, ComponentChildren> = { ...STATE, ...SERVICE, ...ENDPOINT, ...CHANGE };

/** The icon of a state. Without `labelled` the text must be beside it. */
export function Icon({ of, labelled = false, size = 14 }: { of: Kind; labelled?: boolean; size?: number }) {
  const name = labelled ? { role: "img" as const, "aria-label": STATE_TEXT[of] } : { "aria-hidden": true as const };
  return (
    <svg class={`icon s-${of}`} viewBox="0 0 16 16" width={size} height={size} {...name}>
      {SHAPES[of]}
    </svg>
  );
}

/** An icon with its word, and the reason of the state. */
export function StateLabel({ of, reason = "" }: { of: Kind; reason?: string }) {
  return (
    <span class={`state-label t-${of}`} title={STATE_HINT[of]}>
      <Icon of={of} /> {STATE_TEXT[of]}
      {reason && <span class="state-reason">{reason}</span>}
    </span>
  );
}

const LINES = {
  overview: "M2.5 2.5h4.6v4.6H2.5zM8.9 2.5h4.6v4.6H8.9zM2.5 8.9h4.6v4.6H2.5zM8.9 8.9h4.6v4.6H8.9z",
  services: "M2.5 3h11v3.6h-11zM2.5 9.4h11V13h-11zM5 4.8h.1M5 11.2h.1",
  clients: "M8 7.4a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM2.8 13.8c.4-3 2.4-4.4 5.2-4.4s4.8 1.4 5.2 4.4",
  matrix: "M2.5 2.5h11v11h-11zM2.5 6.2h11M2.5 9.8h11M6.2 2.5v11M9.8 2.5v11",
  graph: "M4.2 5.6a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM4.2 13.8a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM12 9.7a1.7 1.7 0 1 0 0-3.4 1.7 1.7 0 0 0 0 3.4zM5.8 4.6l4.6 2.7M5.8 11.4l4.6-2.7",
  changes: "M1.5 8.5h2.7l2-5.5 3.4 10 2-4.5h2.9",
  problems: "M8 2l6.5 11.5h-13zM8 6.4v3.4M8 11.6v.1",
  explain: "M8 14.2A6.2 6.2 0 1 0 8 1.8a6.2 6.2 0 0 0 0 12.4zM6.2 6.3c.1-1.1.8-1.7 1.8-1.7s1.8.6 1.8 1.6c0 1.4-1.8 1.4-1.8 2.8M8 11.3v.1",
  search: "M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zM10.6 10.6L14 14",
  light: "M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1",
  dark: "M13.4 9.6A5.8 5.8 0 0 1 6.4 2.6a5.8 5.8 0 1 0 7 7z",
  keyboard: "M1.8 4h12.4v8H1.8zM4.3 6.5h.1M6.8 6.5h.1M9.3 6.5h.1M11.8 6.5h.1M5 9.5h6",
  out: "M9.5 2.5h4v11h-4M2.5 8h7M7 5l3 3-3 3",
  right: "M6 3.5L10.5 8 6 12.5",
  close: "M4 4l8 8M12 4l-8 8",
} as const;

export type Glyph = keyof typeof LINES;

export function Glyph({ of, size = 16 }: { of: Glyph; size?: number }) {
  return (
    <svg class="glyph" viewBox="0 0 16 16" width={size} height={size} aria-hidden="true">
      <path d={LINES[of]} />
    </svg>
  );
}
