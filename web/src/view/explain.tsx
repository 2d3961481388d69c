// What a client gets for a target, and why: the endpoints with their shares, the policy, the resources.

import { useEffect, useState } from "preact/hooks";
import type { Explanation, TargetEndpoints } from "../model/contract";
import { link, setQuery } from "../model/route";
import { services } from "../model/store";
import { counted } from "../model/time";
import { Age } from "../part/age";
import { useDocument } from "../part/document";
import { parameter } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Facts, Head, Loading, Panel } from "../part/layout";
import { Table, type Column } from "../part/table";
import { Policy } from "./service";

const FIELDS = [
  ["namespace", "Namespace", "of the client"],
  ["zone", "Zone", "eu-1a"],
  ["client", "Library", "grpc-go/1.80"],
] as const;

export function Explain() {
  const target = parameter("target");
  const query = { target, namespace: parameter("namespace"), zone: parameter("zone"), client: parameter("client") };
  return (
    <>
      <Head title="Explain" name="Explain" kicker="what a client gets for a target, and why" />
      <div class="scroll">
        <Form />
        {target ? <Answer query={query} /> : <Empty title="Give the target of a channel">As in the code of the client: <code>xds:///backend.shop:50051</code>. With namespace, zone and library of the client the answer is exactly what that client gets.</Empty>}
      </div>
    </>
  );
}

function Form() {
  const names = ["target", ...FIELDS.map(([name]) => name)];
  const current = names.map(parameter);
  const [values, setValues] = useState(current);
  useEffect(() => setValues(current), [current.join("\n")]);
  const field = (index: number, label: string, placeholder: string) => (
    <label>
      <span>{label}</span>
      <input
        value={values[index] ?? ""}
        placeholder={placeholder}
        data-search={index === 0 || undefined}
        list={index === 0 ? "targets" : undefined}
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => setValues(values.with(index, event.currentTarget.value))}
      />
    </label>
  );
  return (
    <form
      class="ask"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        setQuery(Object.fromEntries(names.map((name, index) => [name, (values[index] ?? "").trim() || null])));
      }}
    >
      {field(0, "Target", "xds:///backend.shop:50051")}
      {FIELDS.map(([, label, placeholder], index) => field(index + 1, label, placeholder))}
      <button type="submit" class="button button-main">
        Explain
      </button>
      <datalist id="targets">
        {[...services.value.values()].slice(0, 200).map((service) => (
          <option key={service.id} value={`xds:///${service.name}.${service.namespace}:${service.ports[0]?.number ?? ""}`} />
        ))}
      </datalist>
    </form>
  );
}

function Answer({ query }: { query: Record<string, string> }) {
  const explanation = useDocument<Explanation>("/api/v1/explain", query);
  const endpoints = useDocument<{ targets: TargetEndpoints[] }>("/api/v1/endpoints", query);
  if (explanation.error && !explanation.data)
    return (
      <Empty title="No answer for this target">
        {explanation.error.message}
        {explanation.error.nearest.length > 0 && <> Similar: {explanation.error.nearest.map((name) => <a key={name} class="chip" href={link("explain", "", { ...query, target: name })}>{name}</a>)}</>}
      </Empty>
    );
  if (!explanation.data) return <Loading what="the explanation" />;
  const { target, facts, policy, client, resources, clients } = explanation.data;
  const answer = endpoints.data?.targets[0];
  return (
    <>
      <Facts
        rows={[
          ["Service", <a href={link("services", target.service)}>{target.service}</a>],
          ["Port", `${target.port}${target.port_name ? ` ${target.port_name}` : ""}`],
          ["Why", target.why],
          ["Protocol", facts.protocol ? `${facts.protocol.name}, by ${facts.protocol.stated_by}` : "–"],
          ["Client", client.name],
          ["Audience", <code>{client.audience}</code>],
        ]}
      />
      {facts.why_no_endpoint.length > 0 && (
        <Panel title="Why there is no endpoint" wide>
          <ul class="problems">{facts.why_no_endpoint.map((why) => <li key={why}><Icon of="error" labelled /> {why}</li>)}</ul>
        </Panel>
      )}
      {client.limitations.length > 0 && (
        <Panel title="Limitations" wide>
          <ul class="problems">{client.limitations.map((text) => <li key={text}><Icon of="warning" labelled /> {text}</li>)}</ul>
        </Panel>
      )}
      {endpoints.error && !answer && <Empty title="The endpoints cannot be read">{endpoints.error.message}</Empty>}
      {answer?.clusters.map((cluster) => <Cluster key={cluster.name} cluster={cluster} />)}
      <Panel title="Policy" wide>
        {policy.some((section) => section.source) ? <Policy sections={policy} /> : <p class="dim">No policy: every section has its default.</p>}
      </Panel>
      <Panel title="Resources" note={resources.length} wide>
        {resources.map((resource) => (
          <details class="type" key={resource.type + resource.name}>
            <summary>
              <Icon of={resource.absent ? "absent" : "in_sync"} labelled /> <b>{resource.type}</b> <code class="clip">{resource.name}</code>
              <span class="versions">{resource.absent ?? <>version <code>{resource.version ?? "not published"}</code></>}</span>
            </summary>
            {resource.body !== null && <pre tabIndex={0} role="region" aria-label={`Body of ${resource.name}`}>{JSON.stringify(resource.body, null, 2)}</pre>}
          </details>
        ))}
      </Panel>
      <Panel title="Clients that have it" note={counted(clients.length, "client")} wide>
        {clients.length === 0 ? <Empty title="None">No connected client is subscribed to it.</Empty> : (
          <ul class="lines lines-wide">
            {clients.slice(0, 100).map((row) => (
              <li key={row.node + row.address}>
                <Icon of={row.in_sync ? "in_sync" : "behind"} labelled /> <a class="clip" href={link("nodes", row.node)}>{row.node || row.address}</a>
                <span class="dim">{row.client}</span> <span class="dim end"><Age seconds={row.age_seconds} at={explanation.at} /></span>
              </li>
            ))}
          </ul>
        )}
      </Panel>
    </>
  );
}

type Cluster = TargetEndpoints["clusters"][number];

function Cluster({ cluster }: { cluster: Cluster }) {
  return (
    <Panel title={cluster.name} note={<>{cluster.weight !== null && `weight ${cluster.weight} · `}{counted(cluster.endpoints.length, "endpoint")}</>} wide>
      <Table label={`Endpoints of ${cluster.name}`} columns={COLUMNS} rows={cluster.endpoints} id={(row) => `${row.address}:${row.port}`} most={12} rowHeight={32} empty={<Empty title="This client gets no endpoint">The list of those that are left out states why.</Empty>} />
      {cluster.left_out.length > 0 && (
        <details open={cluster.left_out.length <= 12}>
          <summary>{counted(cluster.left_out.length, "endpoint")} left out</summary>
          <ul class="lines">
            {cluster.left_out.slice(0, 100).map((row) => (
              <li key={row.address}>
                <Icon of="unready" /> <code>{row.address}</code> <span class="dim">{[row.zone, row.pod].filter(Boolean).join(" · ")}</span> <span class="end">{row.reason}</span>
              </li>
            ))}
          </ul>
        </details>
      )}
    </Panel>
  );
}

const COLUMNS: Column<Cluster["endpoints"][number]>[] = [
  { key: "address", title: "Address", width: "minmax(9rem, 1.4fr)", cell: (row) => <><Icon of={row.state} labelled /> <code>{row.address}:{row.port}</code></> },
  { key: "state", title: "State", width: "6rem", from: 700, cell: (row) => STATE_TEXT[row.state] },
  { key: "share", title: "Share of calls", width: "minmax(7rem, 1fr)", cell: (row) => <Share value={row.share} /> },
  { key: "zone", title: "Zone", width: "minmax(5rem, 1fr)", from: 420, cell: (row) => row.zone ?? "–" },
  { key: "priority", title: "Priority", width: "5rem", right: true, from: 600, cell: (row) => row.priority ?? "–" },
  { key: "weight", title: "Weight", width: "5rem", right: true, from: 760, cell: (row) => row.weight ?? "–" },
  { key: "pod", title: "Pod", width: "minmax(8rem, 1.6fr)", from: 900, cell: (row) => <code class="clip">{row.pod ?? "–"}</code> },
];

function Share({ value }: { value: number | null }) {
  if (value === null) return <span class="dim">–</span>;
  return (
    <>
      <span class="number">{(value * 100).toFixed(1)} %</span>
      <span class="bar bar-share" aria-hidden="true">
        <span class="b-healthy" style={{ flexGrow: value }} />
        <span style={{ flexGrow: 1 - value }} />
      </span>
    </>
  );
}
