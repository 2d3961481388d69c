// How long changes took from the API to the last acknowledgement, as bars.

import type { Propagation } from "../model/contract";
import { count, duration } from "../model/time";

const WIDTH = 520;
const HEIGHT = 132;
const BASE = 108;
const LABELS = 7;

export function Histogram({ propagation }: { propagation: Propagation }) {
  const used = trimmed(propagation.buckets);
  const most = Math.max(1, ...used.map(([, number]) => number));
  const step = WIDTH / used.length;
  const every = Math.ceil(used.length / LABELS);
  const text = `${count(propagation.count)} acknowledged changes: median ${duration(propagation.p50_seconds)}, 99th percentile ${duration(propagation.p99_seconds)}, longest ${duration(propagation.max_seconds)}`;
  return (
    <figure class="histogram">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={text}>
        <line class="axis" x1="0" x2={WIDTH} y1={BASE + 0.5} y2={BASE + 0.5} />
        {used.map(([bound, number], index) => {
          const height = number === 0 ? 0 : Math.max(2, (number / most) * (BASE - 18));
          const label = bound === null ? "more" : `≤ ${short(bound)}`;
          return (
            <g key={label}>
              <rect class="column" x={index * step + 2} width={Math.max(2, step - 4)} y={BASE - height} height={height} rx="2">
                <title>{`${label}: ${count(number)}`}</title>
              </rect>
              {number > 0 && <text class="above" x={index * step + step / 2} y={BASE - height - 4}>{count(number)}</text>}
              {index % every === 0 && <text class="below" x={index * step + step / 2} y={HEIGHT - 8}>{bound === null ? "more" : short(bound)}</text>}
            </g>
          );
        })}
      </svg>
      <figcaption>
        <span>median <b>{duration(propagation.p50_seconds)}</b></span>
        <span>p99 <b>{duration(propagation.p99_seconds)}</b></span>
        <span>longest <b>{duration(propagation.max_seconds)}</b></span>
        <span>{count(propagation.count)} observations</span>
      </figcaption>
    </figure>
  );
}

/** A bound without the zeros behind its point. */
const short = (seconds: number): string => duration(seconds).replace(/\.?0+(?= )/, (zeros) => (zeros.startsWith(".") ? "" : zeros));

/** Without the empty buckets before the first and behind the last one that has observations. */
function trimmed(buckets: Propagation["buckets"]): Propagation["buckets"] {
  const first = buckets.findIndex(([, number]) => number > 0);
  const last = buckets.findLastIndex(([, number]) => number > 0);
  return first < 0 ? [] : buckets.slice(Math.max(0, first - 1), last + 2);
}
