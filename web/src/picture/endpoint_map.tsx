// The endpoints of a port as squares: a group for each zone, a shape for each state.

import { ENDPOINT_STATES, type Endpoint } from "../model/contract";
import { count } from "../model/time";
import { Icon, STATE_TEXT } from "../part/icon";

const MOST = 240;
const SIZE = 14;
const GAP = 4;
const ACROSS = 24;

export function EndpointMap({ endpoints, selected, onSelect }: { endpoints: readonly Endpoint[]; selected: string; onSelect: (address: string) => void }) {
  const zones = Map.groupBy(endpoints, (endpoint) => endpoint.zone || "no zone");
  return (
    <div class="zones">
      {[...zones].sort(([a], [b]) => a.localeCompare(b)).map(([zone, members]) => (
        <Zone key={zone} name={zone} members={members} selected={selected} onSelect={onSelect} />
      ))}
    </div>
  );
}

function Zone({ name, members, selected, onSelect }: { name: string; members: Endpoint[]; selected: string; onSelect: (address: string) => void }) {
  const ordered = ENDPOINT_STATES.flatMap((state) => members.filter((endpoint) => endpoint.state === state));
  const shown = ordered.slice(0, MOST);
  const across = Math.min(ACROSS, Math.max(6, shown.length));
  const step = SIZE + GAP;
  const down = Math.ceil(shown.length / across);
  const totals = ENDPOINT_STATES.map((state) => [state, members.filter((endpoint) => endpoint.state === state).length] as const);
  const words = totals.filter(([, number]) => number).map(([state, number]) => `${number} ${STATE_TEXT[state]}`);
  return (
    <figure class="zone">
      <figcaption>
        <b>{name}</b>
        {totals.map(([state, number]) => number > 0 && (
          <span key={state} class={`t-${state}`}>
            <Icon of={state} size={11} /> {count(number)} {STATE_TEXT[state]}
          </span>
        ))}
      </figcaption>
      <svg viewBox={`0 0 ${across * step} ${down * step}`} width={across * step} height={down * step} role="img" aria-label={`Zone ${name}: ${words.join(", ")}`}>
        {shown.map((endpoint, index) => {
          const address = `${endpoint.address}:${endpoint.port}`;
          return (
            <g
              key={address}
              class={`square s-${endpoint.state}${address === selected ? " square-selected" : ""}`}
              transform={`translate(${(index % across) * step + 1} ${Math.floor(index / across) * step + 1})`}
              onClick={() => onSelect(address)}
            >
              <title>{`${address} · ${STATE_TEXT[endpoint.state]}${endpoint.pod ? ` · ${endpoint.pod}` : ""}${endpoint.node ? ` · ${endpoint.node}` : ""}`}</title>
              {endpoint.state === "healthy" ? (
                <rect class="fill" width={SIZE} height={SIZE} rx="3" />
              ) : (
                <>
                  <rect class="line" x="0.8" y="0.8" width={SIZE - 1.6} height={SIZE - 1.6} rx="2.4" />
                  {endpoint.state === "draining" && <path class="fill" d={`M1 ${SIZE - 1}L${SIZE - 1} 1V${SIZE - 1}z`} />}
                </>
              )}
            </g>
          );
        })}
      </svg>
      {ordered.length > MOST && <small class="dim">and {count(ordered.length - MOST)} more</small>}
    </figure>
  );
}
