// Buttons that restrict a list to a state, with the number of rows in it.

import type { ServiceState, State } from "../model/contract";
import { setQuery } from "../model/route";
import { count } from "../model/time";
import { parameter } from "../part/filter";
import { Icon } from "../part/icon";

interface Props<K extends State | ServiceState> {
  options: readonly K[];
  counts: (option: K) => number;
  text: Record<string, string>;
}

export function StateFilter<K extends State | ServiceState>({ options, counts, text }: Props<K>) {
  const current = parameter("state");
  return (
    <div class="state-filter" role="group" aria-label="State">
      {options.map((option) => (
        <button
          key={option}
          type="button"
          class={`t-${option}`}
          aria-pressed={option === current}
          onClick={() => setQuery({ state: option === current ? null : option })}
        >
          <Icon of={option} /> <b>{count(counts(option))}</b> <span>{text[option]}</span>
        </button>
      ))}
    </div>
  );
}
