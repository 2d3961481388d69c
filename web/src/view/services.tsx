// All services, with search and filters.

import { useMemo } from "preact/hooks";
import { SERVICE_STATES, type Service } from "../model/contract";
import { link } from "../model/route";
import { loaded, services, type Received } from "../model/store";
import { count, counted } from "../model/time";
import { Age } from "../part/age";
import { matches, parameter, Search, Select } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading, Name } from "../part/layout";
import { EndpointBar, StateBar } from "../part/state";
import { Table, type Column } from "../part/table";
import { StateFilter } from "./state_filter";

type Row = Received<Service>;

const COLUMNS: readonly Column<Row>[] = [
  {
    key: "name",
    title: "Service",
    width: "minmax(11rem, 2.2fr)",
    cell: (row) => (
      <>
        <Icon of={row.state} labelled /> <Name id={row.id} />
      </>
    ),
    sort: (row) => row.id,
  },
  {
    key: "endpoints",
    title: "Endpoints",
    width: "minmax(7.5rem, 1fr)",
    cell: (row) => (
      <>
        <span class={`number${row.endpoints.healthy ? "" : " t-error"}`}>
          {count(row.endpoints.healthy)}
          <span class="dim">/{count(row.endpoints.total)}</span>
        </span>
        <EndpointBar endpoints={row.endpoints} />
      </>
    ),
    sort: (row) => row.endpoints.healthy,
  },
  {
    key: "zones",
    title: "Zones",
    width: "minmax(12rem, 1.5fr)",
    from: 1100,
    cell: (row) => (
      <span class="chips">
        {Object.entries(row.zones).map(([zone, number]) => (
          <span key={zone} class="chip">
            {zone || "no zone"} <b>{number}</b>
          </span>
        ))}
      </span>
    ),
  },
  {
    key: "clients",
    title: "Client streams",
    width: "minmax(7.5rem, 1fr)",
    from: 480,
    cell: (row) => (
      <>
        <span class="number">{count(row.clients.streams)}</span>
        <StateBar states={row.clients.states} />
      </>
    ),
    sort: (row) => row.clients.streams,
  },
  { key: "workloads", title: "Workloads", width: "6rem", right: true, from: 860, cell: (row) => count(row.clients.workloads), sort: (row) => row.clients.workloads },
  { key: "ports", title: "Ports", width: "minmax(6rem, 0.8fr)", from: 1240, cell: (row) => <span class="dim clip">{row.ports.map((port) => port.number).join(", ")}</span> },
  {
    key: "rules",
    title: "Policies, routes",
    width: "8rem",
    right: true,
    from: 960,
    cell: (row) => (
      <span title={[...row.policies, ...row.routes].join("\n")}>
        {row.policies.length} <span class="dim">·</span> {row.routes.length}
      </span>
    ),
    sort: (row) => row.policies.length + row.routes.length,
  },
  { key: "problems", title: "Problems", width: "5.5rem", right: true, from: 640, cell: (row) => (row.problems ? <b class="t-warning">{row.problems}</b> : <span class="dim">0</span>), sort: (row) => row.problems },
  { key: "age", title: "Changed", width: "6rem", right: true, from: 700, cell: (row) => <Age seconds={row.changed_age_seconds} at={row.at} />, sort: (row) => (row.changed_age_seconds ?? Infinity) - row.at / 1000 },
];

export function Services() {
  const all = services.value;
  const [text, namespace, state] = [parameter("q"), parameter("namespace"), parameter("state")];
  const sorted = useMemo(() => [...all.values()].sort((a, b) => (a.id < b.id ? -1 : 1)), [all]);
  const namespaces = useMemo(() => [...new Set(sorted.map((row) => row.namespace))].sort(), [sorted]);
  const matching = useMemo(
    () => sorted.filter((row) => (!namespace || row.namespace === namespace) && (!text || matches(row.id.toLowerCase(), text))),
    [sorted, namespace, text],
  );
  const rows = state ? matching.filter((row) => row.state === state) : matching;
  return (
    <>
      <Head title="Services" name="Services" kicker={loaded.value.has("services") ? `${count(rows.length)} of ${counted(all.size, "service")}` : ""}>
        <Search label="Filter services" />
        <Select label="Namespace" name="namespace" all="All namespaces" options={namespaces} />
      </Head>
      <StateFilter options={SERVICE_STATES} counts={(option) => matching.filter((row) => row.state === option).length} text={STATE_TEXT} />
      {!loaded.value.has("services") ? (
        <Loading what="services" />
      ) : (
        <Table
          label="Services"
          columns={COLUMNS}
          rows={rows}
          id={(row) => row.id}
          href={(row) => link("services", row.id)}
          empty={all.size ? <Empty title="No service matches">Remove a filter, or press Esc in the filter to clear it.</Empty> : <Empty title="No services">steerway has read no Service yet: check its sources in the overview.</Empty>}
        />
      )}
    </>
  );
}
