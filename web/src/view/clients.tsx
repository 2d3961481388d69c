// All clients, by workload or by node, with search and filters.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { STATES, type ClientNode, type Page, type Workload } from "../model/contract";
import { read } from "../model/request";
import { link } from "../model/route";
import { loaded, now, status, workloads, type Received } from "../model/store";
import { count, counted } from "../model/time";
import { Age } from "../part/age";
import { Choice, matches, parameter, Search, Select } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading, Name } from "../part/layout";
import { StateBar, StateCounts } from "../part/state";
import { Table, type Column } from "../part/table";
import { StateFilter } from "./state_filter";

type Row = Received<Workload>;
type NodeRow = Received<ClientNode>;

const NO_CLIENT = (
  <Empty title="No client is connected">
    Give a client the bootstrap file of this server: <code>steerway bootstrap --help</code>. Then its streams appear here at once.
  </Empty>
);
const NO_MATCH = <Empty title="No client matches">Remove a filter, or press Esc in the filter to clear it.</Empty>;

const COLUMNS: readonly Column<Row>[] = [
  {
    key: "state",
    title: "Workload",
    width: "minmax(11rem, 2fr)",
    cell: (row) => (
      <>
        <Icon of={row.state} labelled /> <Name id={row.id} />
      </>
    ),
    sort: (row) => `${STATES.indexOf(row.state)}${row.id}`,
  },
  { key: "kind", title: "Kind", width: "7rem", from: 1180, cell: (row) => <span class="dim">{row.kind ?? "–"}</span>, sort: (row) => row.kind ?? "" },
  {
    key: "streams",
    title: "Streams",
    width: "minmax(7.5rem, 1fr)",
    cell: (row) => (
      <>
        <span class="number">{count(row.streams)}</span>
        <StateBar states={row.states} />
      </>
    ),
    sort: (row) => row.streams,
  },
  { key: "detail", title: "Not in sync", width: "minmax(9rem, 1.2fr)", from: 760, cell: (row) => <StateCounts states={row.states} worst /> },
  { key: "libraries", title: "Libraries", width: "minmax(8rem, 1.4fr)", from: 1000, cell: (row) => <span class="clip">{Object.keys(row.libraries).join(", ")}</span>, sort: (row) => Object.keys(row.libraries).join() },
  { key: "services", title: "Services", width: "5.5rem", right: true, from: 620, cell: (row) => count(row.services), sort: (row) => row.services },
  { key: "limitations", title: "Limitations", width: "6.5rem", right: true, from: 860, cell: (row) => (row.limitations ? <b class="t-warning">{row.limitations}</b> : <span class="dim">0</span>), sort: (row) => row.limitations },
  { key: "unacked", title: "Unacknowledged", width: "8.5rem", right: true, from: 1320, cell: (row) => <Age seconds={row.oldest_unacked_seconds} at={row.at} />, sort: (row) => row.oldest_unacked_seconds ?? -1 },
  { key: "age", title: "Connected", width: "6.5rem", right: true, from: 560, cell: (row) => <Age seconds={row.age_seconds} at={row.at} />, sort: (row) => row.age_seconds - row.at / 1000 },
];

export const NODE_COLUMNS: readonly Column<NodeRow>[] = [
  {
    key: "node",
    title: "Node",
    width: "minmax(12rem, 2.4fr)",
    cell: (row) => (
      <>
        <Icon of={row.state} labelled /> <code class="clip"><Name id={row.id || "no node id"} /></code>
      </>
    ),
  },
  { key: "workload", title: "Workload", width: "minmax(8rem, 1.2fr)", from: 900, cell: (row) => <Name id={row.workload} /> },
  { key: "client", title: "Library", width: "minmax(7rem, 1fr)", from: 520, cell: (row) => <span class="clip">{row.client}</span> },
  { key: "zone", title: "Zone", width: "6.5rem", from: 760, cell: (row) => row.zone ?? <span class="dim">–</span> },
  { key: "address", title: "Address", width: "10rem", from: 1040, cell: (row) => <code class="clip">{row.address}</code> },
  { key: "streams", title: "Streams", width: "5rem", right: true, from: 640, cell: (row) => count(row.streams) },
  { key: "services", title: "Services", width: "5.5rem", right: true, from: 700, cell: (row) => count(row.services) },
  { key: "nack", title: "Refusal", width: "minmax(6rem, 1fr)", from: 1240, cell: (row) => row.nack && <span class="t-refused clip" title={row.nack}>{row.nack}</span> },
  { key: "age", title: "Connected", width: "6.5rem", right: true, cell: (row) => <Age seconds={row.age_seconds} at={row.at} /> },
];

export function Clients() {
  const byNode = parameter("by") === "node";
  const namespaces = useMemo(() => [...new Set([...workloads.value.values()].map((row) => row.namespace))].sort(), [workloads.value]);
  const now = status.value;
  return (
    <>
      <Head title="Clients" name="Clients" kicker={now && `${counted(now.streams, "stream")} of ${counted(now.workloads, "workload")}`}>
        <Search label="Filter clients" />
        <Select label="Namespace" name="namespace" all="All namespaces" options={namespaces} />
        <Choice label="Group by" name="by" options={[["workload", "Workloads"], ["node", "Nodes"]]} />
      </Head>
      {byNode ? <Nodes /> : <Workloads />}
    </>
  );
}

function Workloads() {
  const all = workloads.value;
  const [text, namespace, state] = [parameter("q"), parameter("namespace"), parameter("state")];
  const sorted = useMemo(() => [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), [all]);
  const matching = useMemo(
    () =>
      sorted.filter(
        (row) => (!namespace || row.namespace === namespace) && (!text || matches(`${row.id} ${row.kind} ${Object.keys(row.libraries).join(" ")}`.toLowerCase(), text)),
      ),
    [sorted, namespace, text],
  );
  if (!loaded.value.has("clients")) return <Loading what="clients" />;
  return (
    <>
      <StateFilter options={STATES} counts={(option) => matching.filter((row) => row.states[option]).length} text={STATE_TEXT} />
      <Table
        label="Workloads"
        columns={COLUMNS}
        rows={state ? matching.filter((row) => row.states[state as keyof typeof row.states]) : matching}
        id={(row) => row.id}
        href={(row) => link("clients", row.id)}
        empty={all.size ? NO_MATCH : NO_CLIENT}
      />
    </>
  );
}

function Nodes() {
  const [text, namespace, state] = [parameter("q"), parameter("namespace"), parameter("state")];
  const { rows, total, more, error, again } = useNodes({ q: text, namespace, state });
  const streams = status.value?.streams;
  useEffect(again, [streams]);
  const all = status.value?.states ?? {};
  return (
    <>
      <StateFilter options={STATES} counts={(option) => all[option] ?? 0} text={STATE_TEXT} />
      {error ? (
        <Empty title="The list cannot be read">{error}</Empty>
      ) : rows === null ? (
        <Loading what="nodes" />
      ) : (
        <Table label="Nodes" columns={NODE_COLUMNS} rows={rows} total={total} more={more} id={(row) => row.id} href={(row) => link("nodes", row.id)} empty={text || namespace || state ? NO_MATCH : NO_CLIENT} />
      )}
    </>
  );
}

const PAGE = 500;

/** The nodes that match, page by page as they come into view. They are read again when the filter changes. */
export function useNodes(filter: { q?: string; namespace?: string; state?: string; workload?: string }) {
  const key = JSON.stringify(filter);
  const [list, setList] = useState<{ key: string; rows: NodeRow[]; total: number; next: string | null }>({ key: "", rows: [], total: 0, next: null });
  const [error, setError] = useState("");
  const busy = useRef(false);

  function load(after: string | null): void {
    if (busy.current && after) return;
    busy.current = true;
    read<Page<ClientNode>>("/api/v1/clients", { by: "node", limit: PAGE, after: after ?? "", ...filter })
      .then((page) => {
        const at = now();
        const rows = page.items.map((item) => ({ ...item, at }));
        setList((old) => ({ key, rows: after && old.key === key ? [...old.rows, ...rows] : rows, total: page.total, next: page.next }));
        setError("");
      })
      .catch((reason: unknown) => setError(reason instanceof Error ? reason.message : "unknown"))
      .finally(() => {
        busy.current = false;
      });
  }

  useEffect(() => load(null), [key]);
  return { rows: list.key === key ? list.rows : null, total: list.total, error, more: () => list.next && load(list.next), again: () => load(null) };
}
