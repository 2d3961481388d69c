// The journal as a timeline with zoom, and as a list.

import { useMemo } from "preact/hooks";
import { CHANGE_KINDS, type Change } from "../model/contract";
import { go, link, route, setQuery } from "../model/route";
import { changes, loaded, now, status, type Received } from "../model/store";
import { clock, count, counted, duration, moment } from "../model/time";
import { Choice, matches, parameter, Search, Select } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading } from "../part/layout";
import { Table, type Column } from "../part/table";
import type { Span } from "../picture/time_axis";
import { Timeline, type Moment } from "../picture/timeline";
import { ChangeDetail, progress } from "./change";
import { newestFirst } from "./overview";

const RANGES_MINUTES: Record<string, number> = { "5m": 5, "1h": 60, "6h": 360 };
const DEFAULT_MINUTES = 15;
const SHORTEST_MS = 60_000;

const COLUMNS = (query: Record<string, string>): Column<Received<Change>>[] => [
  { key: "time", title: "Published", width: "8.2rem", cell: (row) => <><Icon of={row.kind} labelled /> <time class="number" title={row.time}>{moment(row.time)}</time></>, sort: (row) => row.time },
  { key: "text", title: "What", width: "minmax(10rem, 3fr)", cell: (row) => <a class="clip" href={link("changes", row.id, query)} title={row.text}>{row.text}</a> },
  { key: "services", title: "Services", width: "minmax(7rem, 1.2fr)", from: 900, cell: (row) => <span class="clip dim">{row.services.join(", ")}{row.service_count > row.services.length && ` and ${row.service_count - row.services.length} more`}</span> },
  { key: "resources", title: "Resources", width: "6rem", right: true, from: 760, cell: (row) => count(row.resource_count), sort: (row) => row.resource_count },
  { key: "published", title: "Event → published", width: "9rem", right: true, from: 1040, cell: (row) => duration(row.event_to_published_seconds), sort: (row) => row.event_to_published_seconds ?? -1 },
  { key: "clients", title: "Clients", width: "5.5rem", right: true, from: 620, cell: (row) => count(row.clients.sent), sort: (row) => row.clients.sent },
  { key: "acked", title: "Acknowledged", width: "7.5rem", right: true, from: 460, cell: (row) => <span class={row.clients.nacked ? "t-refused" : row.complete ? "" : "t-behind"}>{progress(row)}</span>, sort: (row) => row.last_acked_seconds ?? -1 },
];

/** The server's clock, of which changes have their times, in milliseconds. */
function serverNow(): number {
  const known = status.value;
  return known ? Date.parse(known.time) + Math.max(clock.value, now()) - known.at : Date.now();
}

export function Changes({ id }: { id: string }) {
  const all = changes.value;
  const [text, kind, service] = [parameter("q"), parameter("kind"), parameter("service")];
  const matching = useMemo(
    () =>
      [...all.values()]
        .filter((change) => (!kind || change.kind === kind) && (!service || change.services.includes(service)) && (!text || matches(`${change.text} ${change.objects.join(" ")} ${change.services.join(" ")}`.toLowerCase(), text)))
        .sort(newestFirst),
    [all, text, kind, service],
  );
  const moments = useMemo<Moment[]>(() => matching.map((change) => ({ time: Date.parse(change.time), change })), [matching]);
  clock.value; // the window moves with time
  const end = Math.max(serverNow(), moments[0]?.time ?? 0);
  const whole = { from: Math.min(moments.at(-1)?.time ?? end, end - SHORTEST_MS) - 1000, to: end };
  const span = shownSpan(whole);
  const rows = moments.filter(({ time }) => time >= span.from && time <= span.to).map(({ change }) => change as Received<Change>);
  const selected = all.get(id);
  const query = Object.fromEntries(route.value.query);
  const setSpan = ({ from, to }: Span): void => setQuery({ from: new Date(from).toISOString(), to: new Date(to).toISOString(), range: null });
  return (
    <>
      <Head title="Changes" name="Changes" kicker={loaded.value.has("changes") ? `${count(rows.length)} of ${counted(all.size, "entry", "entries")}` : ""}>
        <Search label="Filter changes" />
        <Select label="Kind" name="kind" all="All kinds" options={CHANGE_KINDS} />
        {service && (
          <button type="button" class="chip chip-close" onClick={() => setQuery({ service: null })}>
            {service} <span aria-hidden="true">×</span>
            <span class="hidden">: remove this filter</span>
          </button>
        )}
        <Ranges />
      </Head>
      {!loaded.value.has("changes") ? (
        <Loading what="changes" />
      ) : (
        <>
          <Timeline moments={moments} span={span} whole={whole} selected={id} onSpan={setSpan} onSelect={(change) => go(link("changes", change.id, query))} />
          <div class={`split${id ? " split-open" : ""}`}>
            <Table
              label="Changes"
              columns={COLUMNS(query)}
              rows={rows}
              id={(row) => row.id}
              href={(row) => link("changes", row.id, query)}
              empty={all.size ? <Empty title="Nothing in this window">Choose a longer range, or remove a filter.</Empty> : <Empty title="No changes yet">The journal starts with this replica: {STATE_TEXT.change}s, refusals and evictions appear here as they happen.</Empty>}
            />
            {id && (
              <aside aria-label="Change">
                <a class="button close" href={link("changes", "", query)}>
                  Close
                </a>
                {selected ? <ChangeDetail change={selected} /> : <Empty title={`Change ${id} is not in the journal`}>It keeps the newest entries of this replica only.</Empty>}
              </aside>
            )}
          </div>
        </>
      )}
    </>
  );
}

/** The window of the address: `from` and `to`, or a range that ends now. */
function shownSpan(whole: Span): Span {
  const [from, to] = [Date.parse(parameter("from")), Date.parse(parameter("to"))];
  if (from < to) return { from, to };
  const range = parameter("range");
  if (range === "all") return whole;
  return { from: whole.to - (RANGES_MINUTES[range] ?? DEFAULT_MINUTES) * 60_000, to: whole.to };
}

function Ranges() {
  const fixed = parameter("from") !== "";
  return (
    <>
      {fixed && (
        <button type="button" class="button" onClick={() => setQuery({ from: null, to: null })}>
          Live
        </button>
      )}
      {!fixed && <Choice label="Range" name="range" options={[["5m", "5 min"], ["", `${DEFAULT_MINUTES} min`], ["1h", "1 h"], ["6h", "6 h"], ["all", "All"]]} />}
    </>
  );
}
