// Counts of states as a bar, and as words.

import { ENDPOINT_STATES, STATES, type EndpointState, type Service, type State, type States } from "../model/contract";
import { count } from "../model/time";
import { Icon, STATE_HINT, STATE_TEXT } from "./icon";

const BEST_FIRST = STATES.toReversed();

/** `12 in sync, 1 behind`. */
export function statesText(states: States): string {
  const parts = BEST_FIRST.filter((state) => states[state]).map((state) => `${count(states[state] ?? 0)} ${STATE_TEXT[state]}`);
  return parts.join(", ") || "none";
}

interface Segment {
  key: string;
  value: number;
}

/** A bar of parts; a part that is not 0 is at least 3 pixels wide. */
function Bar({ segments, text }: { segments: Segment[]; text: string }) {
  return (
    <span class="bar" role="img" aria-label={text} title={text}>
      {segments.map(({ key, value }) => value > 0 && <span key={key} class={`b-${key}`} style={{ flexGrow: value }} />)}
    </span>
  );
}

export function StateBar({ states }: { states: States }) {
  return <Bar segments={BEST_FIRST.map((key) => ({ key, value: states[key] ?? 0 }))} text={statesText(states)} />;
}

export function EndpointBar({ endpoints }: { endpoints: Service["endpoints"] }) {
  const text = ENDPOINT_STATES.map((state) => `${count(endpoints[state])} ${STATE_TEXT[state]}`).join(", ");
  return <Bar segments={ENDPOINT_STATES.map((key: EndpointState) => ({ key, value: endpoints[key] }))} text={text} />;
}

/** The states that are not zero, each with icon, number and word. */
export function StateCounts({ states, worst = false }: { states: States; worst?: boolean }) {
  const shown = STATES.filter((state) => states[state] && !(worst && state === "in_sync"));
  return (
    <span class="counts">
      {shown.map((state: State) => (
        <span key={state} class={`t-${state}`} title={STATE_HINT[state]}>
          <Icon of={state} /> {count(states[state] ?? 0)} {STATE_TEXT[state]}
        </span>
      ))}
    </span>
  );
}
