// Changes over time: a lane for each kind, and the whole journal below it with the window that is shown.

import { useRef, useState } from "preact/hooks";
import { CHANGE_KINDS, type Change, type ChangeKind } from "../model/contract";
import { counted, moment } from "../model/time";
import { Icon, STATE_TEXT } from "../part/icon";
import { useSize } from "../part/table";
import { panned, ticks, zoomed, type Span } from "./time_axis";

const LANE = 30;
const AXIS = 24;
const STRIP = 34;
const BIN = 12;
const DRAG = 5;
const RIGHT = 16;

export interface Moment {
  time: number;
  change: Change;
}

interface Props {
  moments: readonly Moment[];
  span: Span;
  whole: Span;
  selected: string;
  onSpan: (span: Span) => void;
  onSelect: (change: Change) => void;
}

export function Timeline({ moments, span, whole, selected, onSpan, onSelect }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const { width: full } = useSize(box);
  const labels = full < 600 ? 26 : 84;
  const width = Math.max(100, full - labels - RIGHT);
  const [drag, setDrag] = useState<{ start: number; end: number } | null>(null);
  const kinds = CHANGE_KINDS.filter((kind) => kind === "change" || kind === "nack" || moments.some(({ change }) => change.kind === kind));
  const inside = moments.filter(({ time }) => time >= span.from && time <= span.to);
  const x = (time: number) => ((time - span.from) / (span.to - span.from)) * width;
  const tall = kinds.length * LANE;
  const offset = (event: MouseEvent) => Math.max(0, Math.min(width, event.clientX - (event.currentTarget as Element).getBoundingClientRect().left - labels));

  function keys(event: KeyboardEvent): void {
    const next: Record<string, () => Span> = {
      ArrowLeft: () => panned(span, -0.2, whole),
      ArrowRight: () => panned(span, 0.2, whole),
      "+": () => zoomed(span, 0.6, 0.5, whole),
      "=": () => zoomed(span, 0.6, 0.5, whole),
      "-": () => zoomed(span, 1.6, 0.5, whole),
      "0": () => whole,
    };
    const change = next[event.key];
    if (!change) return;
    event.preventDefault();
    onSpan(change());
  }

  function drop(): void {
    if (drag && Math.abs(drag.end - drag.start) > DRAG) {
      const [a, b] = [Math.min(drag.start, drag.end), Math.max(drag.start, drag.end)].map((at) => span.from + (at / width) * (span.to - span.from));
      onSpan({ from: a ?? span.from, to: Math.max((a ?? 0) + 1000, b ?? span.to) });
    }
    setDrag(null);
  }

  return (
    <div ref={box} class="timeline" tabIndex={0} role="group" aria-label="Timeline: arrows move, plus and minus zoom, 0 shows all" onKeyDown={keys}>
      <svg
        width={full}
        height={tall + AXIS}
        role="group"
        aria-label={`${counted(inside.length, "entry", "entries")} from ${moment(span.from)} to ${moment(span.to)}`}
        onWheel={(event) => {
          if (!event.ctrlKey && Math.abs(event.deltaX) < Math.abs(event.deltaY) && !event.shiftKey) return;
          event.preventDefault();
          onSpan(event.ctrlKey ? zoomed(span, event.deltaY > 0 ? 1.25 : 0.8, offset(event) / width, whole) : panned(span, (event.deltaX || event.deltaY) / width, whole));
        }}
        onMouseDown={(event) => setDrag({ start: offset(event), end: offset(event) })}
        onMouseMove={(event) => drag && setDrag({ ...drag, end: offset(event) })}
        onMouseUp={drop}
        onMouseLeave={drop}
      >
        {kinds.map((kind, lane) => (
          <g key={kind} transform={`translate(0 ${lane * LANE})`}>
            <line class="axis" x1={labels} x2={full - RIGHT} y1={LANE - 0.5} y2={LANE - 0.5} />
            <svg x="2" y="8" width="14" height="14"><Icon of={kind} /></svg>
            {labels > 30 && <text class="lane-name" x="22" y="19">{STATE_TEXT[kind]}</text>}
          </g>
        ))}
        <g transform={`translate(${labels} 0)`}>
          {ticks(span, width / 90).filter((time) => x(time) < width - 24).map((time) => (
            <g key={time} class="tick">
              <line x1={x(time)} x2={x(time)} y1="0" y2={tall} />
              <text x={x(time)} y={tall + 16}>{moment(time).split(" ").at(-1)}</text>
            </g>
          ))}
          {kinds.map((kind, lane) => bins(inside, kind, x).map((bin) => <Dot key={`${kind}${bin.key}`} bin={bin} y={lane * LANE + LANE / 2} kind={kind} selected={selected} onSelect={onSelect} />))}
          {drag && <rect class="brush" x={Math.min(drag.start, drag.end)} width={Math.abs(drag.end - drag.start)} y="0" height={tall} />}
        </g>
      </svg>
      <Strip moments={moments} span={span} whole={whole} left={labels} width={width} onSpan={onSpan} />
    </div>
  );
}

interface Bin {
  key: number;
  x: number;
  members: Change[];
}

/** Entries of a kind, those that would cover each other together. */
function bins(inside: readonly Moment[], kind: ChangeKind, x: (time: number) => number): Bin[] {
  const byKey = new Map<number, Bin>();
  for (const { time, change } of inside) {
    if (change.kind !== kind) continue;
    const key = Math.floor(x(time) / BIN);
    const bin = byKey.get(key) ?? { key, x: key * BIN + BIN / 2, members: [] };
    bin.members.push(change);
    byKey.set(key, bin);
  }
  return [...byKey.values()];
}

function Dot({ bin, y, kind, selected, onSelect }: { bin: Bin; y: number; kind: ChangeKind; selected: string; onSelect: (change: Change) => void }) {
  const [first] = bin.members;
  const radius = Math.min(10, 4 + Math.sqrt(bin.members.length - 1) * 1.3);
  const refused = bin.members.some((change) => change.clients.nacked);
  if (!first) return null;
  return (
    <g
      class={`dot s-${refused ? "nack" : kind}${bin.members.some((change) => change.id === selected) ? " dot-selected" : ""}${bin.members.every((change) => change.complete) ? "" : " dot-open"}`}
      onClick={() => onSelect(first)}
    >
      <title>{bin.members.length > 1 ? `${counted(bin.members.length, "entry", "entries")}, newest: ${first.text}` : first.text}</title>
      <circle cx={bin.x} cy={y} r={radius} />
      {bin.members.length > 1 && radius > 6 && <text x={bin.x} y={y + 3.5}>{bin.members.length}</text>}
    </g>
  );
}

interface StripProps {
  moments: readonly Moment[];
  span: Span;
  whole: Span;
  left: number;
  width: number;
  onSpan: (span: Span) => void;
}

/** The whole journal; a click moves the window. */
function Strip({ moments, span, whole, left, width, onSpan }: StripProps) {
  const length = Math.max(1, whole.to - whole.from);
  const columns = new Map<number, { all: number; bad: number }>();
  for (const { time, change } of moments) {
    const key = Math.floor((((time - whole.from) / length) * width) / 4);
    const column = columns.get(key) ?? { all: 0, bad: 0 };
    column.all += 1;
    if (change.kind === "nack" || change.clients.nacked) column.bad += 1;
    columns.set(key, column);
  }
  const most = Math.max(1, ...[...columns.values()].map((column) => column.all));
  const at = (time: number) => ((time - whole.from) / length) * width;
  return (
    <svg
      class="strip"
      width={left + width + 8}
      height={STRIP}
      aria-hidden="true"
      onClick={(event) => {
        const share = (event.clientX - event.currentTarget.getBoundingClientRect().left - left) / width;
        const half = (span.to - span.from) / 2;
        onSpan(panned({ from: whole.from + share * length - half, to: whole.from + share * length + half }, 0, whole));
      }}
    >
      <g transform={`translate(${left} 0)`}>
        {[...columns].map(([key, { all, bad }]) => {
          const height = 3 + (all / most) * (STRIP - 8);
          return <rect key={key} class={bad ? "strip-bad" : "strip-bar"} x={key * 4} width="3" y={STRIP - height} height={height} />;
        })}
        <rect class="window" x={Math.max(0, at(span.from))} width={Math.max(3, Math.min(width, at(span.to)) - Math.max(0, at(span.from)))} y="1" height={STRIP - 2} rx="3" />
      </g>
    </svg>
  );
}
