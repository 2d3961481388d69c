// Services by workloads: which workload holds which service, and in which state. Only visible cells are in the document.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { STATES } from "../model/contract";
import { go, link } from "../model/route";
import { edges, edgesLoaded, services, watchEdges, workloads, type EdgeItem } from "../model/store";
import { count, counted } from "../model/time";
import { matches, parameter, Search, Select } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading, Name } from "../part/layout";
import { useSize } from "../part/table";
import { StateFilter } from "./state_filter";

const CELL = 26;
const HEAD = 132;
const OVERSCAN = 3;

export function Matrix() {
  useEffect(watchEdges, []);
  const [text, namespace, state] = [parameter("q"), parameter("namespace"), parameter("state")];
  const all = edges.value;
  const matching = useMemo(
    () =>
      [...all.values()].filter(
        (edge) =>
          (!namespace || edge.service.startsWith(`${namespace}/`) || edge.workload.startsWith(`${namespace}/`)) && (!text || matches(`${edge.workload} ${edge.service}`.toLowerCase(), text)),
      ),
    [all, text, namespace],
  );
  const shown = useMemo(() => (state ? matching.filter((edge) => edge.state === state) : matching), [matching, state]);
  const namespaces = useMemo(() => [...new Set([...workloads.value.values(), ...services.value.values()].map((item) => item.namespace))].sort(), [workloads.value, services.value]);
  const counts = useMemo(() => new Map(STATES.map((key) => [key, matching.filter((edge) => edge.state === key).length])), [matching]);
  return (
    <>
      <Head title="Services × clients" name="Services × clients" kicker={edgesLoaded.value ? `${count(shown.length)} of ${counted(all.size, "subscription")}` : ""}>
        <Search label="Filter workloads and services" />
        <Select label="Namespace" name="namespace" all="All namespaces" options={namespaces} />
      </Head>
      <StateFilter options={STATES} counts={(option) => counts.get(option) ?? 0} text={STATE_TEXT} />
      {!edgesLoaded.value ? <Loading what="subscriptions" /> : shown.length === 0 ? <Empty title="No subscription matches">A cell stands for the streams of a workload that ask for a service.</Empty> : <Grid shown={shown} />}
    </>
  );
}

interface Cell {
  edge: EdgeItem;
  column: number;
}

/** Rows are workloads, columns services, both by name; cells of a row ordered by column. */
function arranged(shown: readonly EdgeItem[]) {
  const rowNames = [...new Set(shown.map((edge) => edge.workload))].sort();
  const columnNames = [...new Set(shown.map((edge) => edge.service))].sort();
  const rowOf = new Map(rowNames.map((name, index) => [name, index]));
  const columnOf = new Map(columnNames.map((name, index) => [name, index]));
  const cells: Cell[][] = rowNames.map(() => []);
  for (const edge of shown) cells[rowOf.get(edge.workload) ?? 0]?.push({ edge, column: columnOf.get(edge.service) ?? 0 });
  for (const row of cells) row.sort((a, b) => a.column - b.column);
  return { rowNames, columnNames, cells };
}

function Grid({ shown }: { shown: readonly EdgeItem[] }) {
  const { rowNames, columnNames, cells } = useMemo(() => arranged(shown), [shown]);
  const box = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(box);
  const [scroll, setScroll] = useState({ top: 0, left: 0 });
  const [active, setActive] = useState({ row: 0, column: 0 });
  const side = width < 700 ? 132 : 232;
  const rows = span(scroll.top, height - HEAD, rowNames.length);
  const columns = span(scroll.left, width - side, columnNames.length);

  function move(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1], PageDown: [10, 0], PageUp: [-10, 0] };
    const step = steps[event.key];
    if (step) {
      event.preventDefault();
      const next = { row: clamp(active.row + step[0], rowNames.length), column: clamp(active.column + step[1], columnNames.length) };
      setActive(next);
      reveal(box.current, next, side);
    } else if (event.key === "Enter" && event.target === box.current) {
      go(link("services", columnNames[active.column] ?? ""));
    }
  }

  return (
    <div
      ref={box}
      class="matrix"
      role="grid"
      tabIndex={0}
      aria-label="Services by workloads"
      aria-rowcount={rowNames.length + 1}
      aria-colcount={columnNames.length + 1}
      aria-activedescendant={active.row >= rows.first && active.row < rows.last ? `cursor-${active.row}-${active.column}` : undefined}
      onScroll={(event) => setScroll({ top: event.currentTarget.scrollTop, left: event.currentTarget.scrollLeft })}
      onKeyDown={move}
    >
      <div role="row" aria-rowindex={1} class="matrix-head" style={{ height: `${HEAD}px`, width: `${side + columnNames.length * CELL}px` }}>
        <div role="columnheader" aria-colindex={1} class="matrix-corner" style={{ width: `${side}px`, height: `${HEAD}px` }}>
          <span>{counted(rowNames.length, "workload")}</span>
          <span>{counted(columnNames.length, "service")}</span>
        </div>
        {columnNames.slice(columns.first, columns.last).map((name, offset) => {
          const column = columns.first + offset;
          return (
            <div key={name} role="columnheader" aria-colindex={column + 2} class={`matrix-column${column === active.column ? " matrix-active" : ""}`} style={{ left: `${side + column * CELL}px` }}>
              <a href={link("services", name)} tabIndex={-1} title={name}>
                <Name id={name} />
              </a>
            </div>
          );
        })}
      </div>
      <div role="presentation" class="matrix-body" style={{ height: `${rowNames.length * CELL}px`, width: `${side + columnNames.length * CELL}px` }}>
        {rowNames.slice(rows.first, rows.last).map((name, offset) => {
          const row = rows.first + offset;
          return (
            <div key={name} role="row" aria-rowindex={row + 2} class={`matrix-row${row === active.row ? " matrix-active" : ""}`} style={{ transform: `translateY(${row * CELL}px)`, width: `${side + columnNames.length * CELL}px` }}>
              <div role="rowheader" aria-colindex={1} class="matrix-side" style={{ width: `${side}px` }}>
                <a href={link("clients", name)} tabIndex={-1} title={name}>
                  <Name id={name} />
                </a>
              </div>
              {row === active.row && <div key="cursor" role="gridcell" id={`cursor-${row}-${active.column}`} aria-colindex={active.column + 2} aria-label={labelOf(cells[row] ?? [], active.column, columnNames)} class="matrix-cursor" style={{ left: `${side + active.column * CELL}px` }} />}
              {visible(cells[row] ?? [], columns).map(({ edge, column }) => (
                <div
                  key={column}
                  role="gridcell"
                  aria-colindex={column + 2}
                  aria-label={`${edge.service}: ${STATE_TEXT[edge.state]}, ${counted(edge.streams, "stream")}`}
                  title={`${edge.workload} → ${edge.service}\n${STATE_TEXT[edge.state]}, ${counted(edge.streams, "stream")}`}
                  class="matrix-cell"
                  style={{ left: `${side + column * CELL}px` }}
                  onClick={() => {
                    setActive({ row, column });
                    go(link("services", edge.service));
                  }}
                >
                  <Icon of={edge.state} />
                </div>
              ))}
            </div>
          );
        })}
      </div>
    </div>
  );
}

function labelOf(row: readonly Cell[], column: number, names: readonly string[]): string {
  const cell = row.find((candidate) => candidate.column === column);
  return cell ? `${cell.edge.service}: ${STATE_TEXT[cell.edge.state]}, ${counted(cell.edge.streams, "stream")}` : `${names[column]}: no stream`;
}

const clamp = (value: number, length: number): number => Math.max(0, Math.min(length - 1, value));

function span(offset: number, size: number, length: number): { first: number; last: number } {
  return { first: Math.max(0, Math.floor(offset / CELL) - OVERSCAN), last: Math.min(length, Math.ceil((offset + size) / CELL) + OVERSCAN) };
}

function visible(row: readonly Cell[], columns: { first: number; last: number }): readonly Cell[] {
  return row.filter((cell) => cell.column >= columns.first && cell.column < columns.last);
}

function reveal(box: HTMLElement | null, { row, column }: { row: number; column: number }, side: number): void {
  if (!box) return;
  const [x, y] = [column * CELL, row * CELL];
  const [across, down] = [box.clientWidth - side - CELL, box.clientHeight - HEAD - CELL];
  box.scrollTo({ left: Math.min(Math.max(box.scrollLeft, x - across), x), top: Math.min(Math.max(box.scrollTop, y - down), y) });
}
