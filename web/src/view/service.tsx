// One service: its endpoints, the way of a call, its clients, propagation, policies, problems and changes.

import { useState } from "preact/hooks";
import type { PolicySection, PortDetail, Service, ServiceDetail, Subscriber } from "../model/contract";
import { link } from "../model/route";
import { changes, services } from "../model/store";
import { count, counted } from "../model/time";
import { Age } from "../part/age";
import { useDocument } from "../part/document";
import { Icon, StateLabel, STATE_TEXT } from "../part/icon";
import { Empty, Facts, Head, Loading, Name, Panel } from "../part/layout";
import { StateBar, StateCounts } from "../part/state";
import { Table, type Column } from "../part/table";
import { EndpointMap } from "../picture/endpoint_map";
import { Flow } from "../picture/flow";
import { Histogram } from "../picture/histogram";
import { ChangeLines } from "./change";
import { Missing } from "./missing";

export function ServiceView({ id }: { id: string }) {
  const item = services.value.get(id);
  const trigger = item ? item.at : changes.value.size;
  const { data, error, at } = useDocument<ServiceDetail>(`/api/v1/services/${id.split("/").map(encodeURIComponent).join("/")}`, {}, trigger);
  return (
    <>
      <Head title={<Name id={id} whole />} name={id} kicker={<a href={link("services")}>Services</a>}>
        {data && <StateLabel of={data.state} reason={reasonOf(data)} />}
        <a class="button" href={link("explain", "", { target: targetOf(id, data) })}>
          Explain
        </a>
      </Head>
      {data ? <Body service={data} at={at} /> : error ? <Missing what={`Service ${id}`} view="services" error={error} /> : <Loading what={id} />}
    </>
  );
}

/** Why its state is no good one, the worst reason first. */
export function reasonOf({ state, endpoints, clients, problems }: Service): string {
  if (state !== "error" && state !== "warning") return "";
  const { refused = 0, waiting = 0, behind = 0, absent = 0 } = clients.states;
  if (refused) return `${counted(refused, "stream")} refused its resources`;
  if (state === "error") return endpoints.healthy ? "a port or a rule of a route has no healthy backend" : `no healthy endpoint of ${count(endpoints.total)}`;
  if (problems) return counted(problems, "problem");
  if (absent) return `${counted(absent, "stream")} with absent names`;
  if (waiting + behind) return `${counted(waiting + behind, "stream")} without the newest configuration`;
  return "a backend of a route does not exist";
}

function targetOf(id: string, service: ServiceDetail | null): string {
  const [namespace = "", name = ""] = id.split("/");
  const port = service?.ports[0]?.number;
  return `xds:///${name}.${namespace}${port === undefined ? "" : `:${port}`}`;
}

function Body({ service, at }: { service: ServiceDetail; at: number }) {
  const problems = service.problem_details;
  return (
    <div class="scroll">
      <Facts
        rows={[
          ["Endpoints", <><b>{count(service.endpoints.healthy)}</b> of {count(service.endpoints.total)} healthy</>],
          ["Client streams", <><b>{count(service.clients.streams)}</b> from {counted(service.clients.workloads, "workload")}</>],
          ["Ports", service.ports.map((port) => [port.number, port.name, port.protocol].filter(Boolean).join(" ")).join(", ") || "none"],
          ["Policies", service.policies.join(", ") || "none"],
          ["Routes", service.routes.join(", ") || "none"],
          ["Changed", <Age seconds={service.changed_age_seconds} at={at} suffix=" ago" />],
        ]}
      />
      {problems.length > 0 && (
        <Panel title="Problems" note={problems.length} wide>
          <ul class="problems">
            {problems.map((problem) => (
              <li key={problem.where + problem.reason}>
                <Icon of="warning" labelled /> <code>{problem.where}</code>
                <p>{problem.reason}</p>
                {problem.hint && <p class="dim">{problem.hint}</p>}
              </li>
            ))}
          </ul>
        </Panel>
      )}
      <Panel title="Way of a call" wide>
        <Flow service={service} />
      </Panel>
      {service.port_details.map((port) => (
        <Port key={port.number} port={port} only={service.port_details.length === 1} />
      ))}
      <div class="panels">
        <Panel title="Clients" note={counted(service.subscribers.length, "workload")} wide>
          <Table label="Clients of the service" columns={SUBSCRIBERS(at)} rows={service.subscribers} id={(row) => row.workload} href={(row) => link("clients", row.workload)} most={8} empty={<Empty title="No clients">No stream asks for a name of this service.</Empty>} />
        </Panel>
        <Panel title="Propagation" note="from the API event to the last ACK">
          {service.propagation.count ? <Histogram propagation={service.propagation} /> : <Empty title="No acknowledged change yet">Each change that clients acknowledge is counted here.</Empty>}
        </Panel>
        <Loads service={service} />
        <Panel title="Changes" note={<a href={link("changes", "", { service: service.id })}>timeline</a>} wide>
          <ChangeLines changes={service.changes} />
        </Panel>
      </div>
    </div>
  );
}

const SUBSCRIBERS = (at: number): Column<Subscriber>[] => [
  { key: "workload", title: "Workload", width: "minmax(9rem, 2fr)", cell: (row) => <Name id={row.workload} /> },
  { key: "streams", title: "Streams", width: "minmax(6rem, 1fr)", cell: (row) => <><span class="number">{count(row.streams)}</span><StateBar states={row.states} /></> },
  { key: "states", title: "States", width: "minmax(8rem, 1.4fr)", from: 520, cell: (row) => <StateCounts states={row.states} /> },
  { key: "names", title: "Names", width: "minmax(8rem, 2fr)", from: 760, cell: (row) => <code class="clip" title={row.names.join("\n")}>{row.names.join(", ")}</code> },
  { key: "since", title: "Since", width: "5.5rem", right: true, cell: (row) => <Age seconds={row.since_seconds} at={at} /> },
];

function Port({ port, only }: { port: PortDetail; only: boolean }) {
  const [selected, select] = useState("");
  const title = `Port ${port.number}${port.name ? ` ${port.name}` : ""}`;
  const shown = selected ? port.endpoints.filter((endpoint) => `${endpoint.address}:${endpoint.port}` === selected) : port.endpoints;
  return (
    <Panel title={title} note={counted(port.endpoints.length, "endpoint")} wide>
      {port.endpoints.length === 0 ? (
        <Empty title="No endpoints">No pod is selected: compare the selector of the Service with the labels of the pods, and the name of the target port.</Empty>
      ) : (
        <EndpointMap endpoints={port.endpoints} selected={selected} onSelect={(address) => select(address === selected ? "" : address)} />
      )}
      <details open={Boolean(selected)}>
        <summary>{selected ? `Endpoint ${selected}` : "List of endpoints"}</summary>
        <Table label={`Endpoints of ${title}`} columns={ENDPOINTS} rows={shown} id={(row) => `${row.address}:${row.port}`} most={10} rowHeight={32} empty={<Empty title="No endpoints" />} />
      </details>
      {port.left_out.length > 0 && (
        <details open={only && port.left_out.length < 6}>
          <summary>{counted(port.left_out.length, "endpoint")} left out</summary>
          <ul class="lines">
            {port.left_out.slice(0, 50).map(({ address, reason }) => (
              <li key={address}>
                <Icon of="unready" /> <code>{address}</code> <span class="dim">{reason}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
      <Policy sections={sections(port.policy)} />
    </Panel>
  );
}

const ENDPOINTS: Column<PortDetail["endpoints"][number]>[] = [
  { key: "address", title: "Address", width: "minmax(9rem, 1.4fr)", cell: (row) => <><Icon of={row.state} labelled /> <code>{row.address}:{row.port}</code></> },
  { key: "state", title: "State", width: "6rem", from: 420, cell: (row) => STATE_TEXT[row.state] },
  { key: "zone", title: "Zone", width: "minmax(5rem, 1fr)", cell: (row) => row.zone ?? "–" },
  { key: "node", title: "Node", width: "minmax(6rem, 1fr)", from: 760, cell: (row) => <span class="clip">{row.node ?? "–"}</span> },
  { key: "pod", title: "Pod", width: "minmax(9rem, 1.8fr)", from: 560, cell: (row) => <code class="clip">{row.pod ?? "–"}</code> },
  { key: "weight", title: "Weight", width: "5rem", right: true, from: 640, cell: (row) => row.weight ?? "–" },
];

/** Sections as a list; the API may give them by name as well. */
export function sections(policy: PortDetail["policy"]): PolicySection[] {
  if (Array.isArray(policy)) return policy;
  return Object.entries(policy).map(([section, value]) => ({ section, value, source: "set" }));
}

/** The sections that are set; the others have their defaults. */
export function Policy({ sections }: { sections: readonly PolicySection[] }) {
  const set = sections.filter((section) => section.source !== null);
  if (set.length === 0) return null;
  return (
    <dl class="policy" aria-label="Policy">
      {set.map(({ section, value, source }) => (
        <div key={section}>
          <dt>{section}</dt>
          <dd>
            {value} {source && source !== "set" && <small class="dim">{source}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Loads({ service }: { service: ServiceDetail }) {
  const rows = service.load;
  return (
    <Panel title="Load reports" note="since start, by locality">
      {rows.length === 0 ? (
        <Empty title="No load reports">Clients with load reporting (LRS) in their bootstrap count calls by locality.</Empty>
      ) : (
        <table class="plain">
          <thead>
            <tr><th scope="col">Locality</th><th scope="col">Issued</th><th scope="col">Errors</th><th scope="col">In progress</th></tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.locality}>
                <th scope="row">{row.locality || "no locality"}</th>
                <td>{count(row.issued)}</td>
                <td class={row.errors ? "t-error" : ""}>{count(row.errors)}</td>
                <td>{count(row.in_progress)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Panel>
  );
}
