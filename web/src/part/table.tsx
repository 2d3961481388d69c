// A table of which only the visible rows are in the document, whatever the number of its rows.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { parameter } from "./filter";
import { go, setQuery } from "../model/route";

export interface Column<T> {
  key: string;
  title: string;
  /** A track of CSS grid. */
  width: string;
  /** The table shows the column from this width in pixels on. */
  from?: number;
  right?: boolean;
  cell: (row: T) => ComponentChildren;
  /** The value to sort by; a column without it cannot be sorted. */
  sort?: (row: T) => string | number;
}

interface TableProps<T> {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id: (row: T) => string;
  /** The address of a row's own view. */
  href?: (row: T) => string;
  empty: ComponentChildren;
  /** Rows to show at most before the table scrolls; without it the table fills its parent. */
  most?: number;
  /** Rows that the server has, where not all are loaded, and how to get more. */
  total?: number;
  more?: () => void;
  rowHeight?: number;
}

const OVERSCAN = 6;

export function Table<T>(props: TableProps<T>) {
  const { rows, href, id, rowHeight = 38, most, total = rows.length, more } = props;
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  const { width, height } = useSize(body);
  const columns = props.columns.filter((column) => width >= (column.from ?? 0));
  const { sorted, sort } = useSorted(rows, props.columns);
  const first = Math.max(0, Math.floor(top / rowHeight) - OVERSCAN);
  const last = Math.min(sorted.length, Math.ceil((top + height) / rowHeight) + OVERSCAN);
  const [active, setActive] = useActive(sorted, id);

  useEffect(() => {
    if (more && sorted.length < total && last > sorted.length - 2 * OVERSCAN) more();
  }, [last, sorted.length, total]);

  function move(event: KeyboardEvent): void {
    const pages = Math.max(1, Math.floor(height / rowHeight) - 1);
    const steps: Record<string, number> = { ArrowDown: 1, ArrowUp: -1, PageDown: pages, PageUp: -pages, Home: -Infinity, End: Infinity };
    const step = steps[event.key];
    const row = sorted[active];
    if (step !== undefined && !event.altKey && !event.metaKey && !event.ctrlKey) {
      event.preventDefault();
      const next = Math.max(0, Math.min(sorted.length - 1, active + step));
      setActive(next);
      reveal(body.current, next * rowHeight, rowHeight);
    } else if (event.key === "Enter" && row && href && event.target === event.currentTarget) {
      go(href(row));
    }
  }

  const tracks = columns.map((column) => column.width).join(" ");
  const prefix = useMemo(() => `row-${Math.random().toString(36).slice(2)}`, []);
  const tall = most === undefined ? {} : { maxHeight: `${most * rowHeight}px` };
  return (
    <div
      class={`table${most === undefined ? " table-fill" : ""}`}
      role="grid"
      tabIndex={0}
      aria-label={props.label}
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      aria-activedescendant={active >= first && active < last ? `${prefix}-${active}` : undefined}
      onKeyDown={move}
    >
      <div role="rowgroup" class="table-head">
        <div role="row" class="row" aria-rowindex={1} style={{ gridTemplateColumns: tracks }}>
          {columns.map((column) => (
            <HeadCell key={column.key} column={column} sort={sort} />
          ))}
        </div>
      </div>
      <div
        ref={body}
        role="rowgroup"
        class="table-body"
        tabIndex={-1}
        style={tall}
        onScroll={(event) => setTop(event.currentTarget.scrollTop)}
      >
        {sorted.length === 0 ? (
          <div role="row" class="row-empty">
            <div role="gridcell">{props.empty}</div>
          </div>
        ) : (
          <div class="table-space" role="presentation" style={{ height: `${sorted.length * rowHeight}px` }}>
            {sorted.slice(first, last).map((row, offset) => {
              const index = first + offset;
              return (
                <div
                  key={id(row)}
                  id={`${prefix}-${index}`}
                  role="row"
                  aria-rowindex={index + 2}
                  class={`row${href ? " row-link" : ""}${index === active ? " row-active" : ""}`}
                  style={{ gridTemplateColumns: tracks, height: `${rowHeight}px`, transform: `translateY(${index * rowHeight}px)` }}
                  onClick={(event) => {
                    setActive(index);
                    const target = event.target as Element;
                    if (href && !target.closest("a, button") && !getSelection()?.toString()) go(href(row));
                  }}
                >
                  {columns.map((column, position) => (
                    <div key={column.key} role="gridcell" class={column.right ? "cell right" : "cell"}>
                      {position === 0 && href ? (
                        <a href={href(row)} tabIndex={-1}>
                          {column.cell(row)}
                        </a>
                      ) : (
                        column.cell(row)
                      )}
                    </div>
                  ))}
                </div>
              );
            })}
          </div>
        )}
      </div>
    </div>
  );
}

interface Sort {
  key: string;
  down: boolean;
}

function HeadCell<T>({ column, sort }: { column: Column<T>; sort: Sort }) {
  const sorted = sort.key === column.key;
  return (
    <div role="columnheader" class={column.right ? "cell right" : "cell"} aria-sort={sorted ? (sort.down ? "descending" : "ascending") : undefined}>
      {column.sort ? (
        <button type="button" onClick={() => setQuery({ sort: sorted && !sort.down ? `-${column.key}` : column.key })}>
          {column.title} <span aria-hidden="true">{sorted ? (sort.down ? "↓" : "↑") : ""}</span>
        </button>
      ) : (
        column.title
      )}
    </div>
  );
}

/** The rows in the order that the address states; else as given. */
function useSorted<T>(rows: readonly T[], columns: readonly Column<T>[]): { sorted: readonly T[]; sort: Sort } {
  const given = parameter("sort");
  const sort = { key: given.replace(/^-/, ""), down: given.startsWith("-") };
  const value = columns.find((column) => column.key === sort.key)?.sort;
  const sorted = useMemo(() => (value ? rows.toSorted(by(value, sort.down)) : rows), [rows, sort.key, sort.down]);
  return { sorted, sort };
}

function by<T>(value: (row: T) => string | number, down: boolean): (a: T, b: T) => number {
  const sign = down ? -1 : 1;
  return (a, b) => {
    const [left, right] = [value(a), value(b)];
    return sign * (typeof left === "string" ? left.localeCompare(String(right)) : left - Number(right));
  };
}

/** The active row: it follows its id when rows come and go. */
function useActive<T>(rows: readonly T[], id: (row: T) => string): [number, (index: number) => void] {
  const known = useRef<{ id: string; index: number }>({ id: "", index: 0 });
  const [, render] = useState(0);
  const { id: wanted, index } = known.current;
  const same = rows[index];
  let active = Math.min(index, Math.max(0, rows.length - 1));
  if (wanted && !(same && id(same) === wanted)) {
    const wantedRow = rows.findIndex((row) => id(row) === wanted);
    if (wantedRow >= 0) active = wantedRow;
  }
  return [
    active,
    (next) => {
      const row = rows[next];
      known.current = { id: row ? id(row) : "", index: next };
      render((number) => number + 1);
    },
  ];
}

function reveal(body: HTMLElement | null, top: number, height: number): void {
  if (!body) return;
  if (top < body.scrollTop) body.scrollTop = top;
  else if (top + height > body.scrollTop + body.clientHeight) body.scrollTop = top + height - body.clientHeight;
}

/** The inner size of an element, which changes with the window. */
export function useSize(element: { current: HTMLElement | null }): { width: number; height: number } {
  const [size, setSize] = useState({ width: 1200, height: 600 });
  useLayoutEffect(() => {
    const node = element.current;
    if (!node) return undefined;
    const measure = () => setSize({ width: node.clientWidth, height: node.clientHeight });
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    measure();
    return () => observer.disconnect();
  }, []);
  return size;
}
