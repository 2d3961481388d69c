// One client: its streams, the types of each, and every resource with its version.

import { useState } from "preact/hooks";
import type { ClientDetail, Stream, StreamResource, StreamType } from "../model/contract";
import { link } from "../model/route";
import { changes, workloads } from "../model/store";
import { count, counted } from "../model/time";
import { Age } from "../part/age";
import { matches } from "../part/filter";
import { useDocument } from "../part/document";
import { Icon, STATE_TEXT, StateLabel } from "../part/icon";
import { Empty, Facts, Head, Loading, Panel } from "../part/layout";
import { Table, type Column } from "../part/table";
import { Missing } from "./missing";

const TARGET_TYPES = new Set(["lds", "rds", "cds", "eds"]);

export function NodeView({ id }: { id: string }) {
  const [workload, setWorkload] = useState("");
  const trigger = `${workloads.value.get(workload)?.at ?? 0}/${changes.value.size}`;
  const { data, error, at } = useDocument<ClientDetail>(`/api/v1/clients/${encodeURIComponent(id)}`, {}, trigger);
  if (data && data.workload !== workload) setWorkload(data.workload);
  return (
    <>
      <Head title={<code>{id || "no node id"}</code>} name={id} kicker={<><a href={link("clients")}>Clients</a>{data?.workload && <> / <a href={link("clients", data.workload)}>{data.workload}</a></>}</>}>
        {data && <StateLabel of={data.state} />}
      </Head>
      {data ? <Body client={data} at={at} /> : error ? <Missing what={`Client ${id}`} view="nodes" error={error} /> : <Loading what={id} />}
    </>
  );
}

function Body({ client, at }: { client: ClientDetail; at: number }) {
  const limitations = [...new Set(client.stream_details.flatMap((stream) => stream.limitations))];
  return (
    <div class="scroll">
      <Facts
        rows={[
          ["Library", client.client || "–"],
          ["Address", <code>{client.address}</code>],
          ["Zone", client.zone ?? "–"],
          ["Pod", client.pod ? <code>{client.pod}</code> : "–"],
          ["Kubernetes node", client.node ?? "–"],
          ["Services", count(client.services)],
        ]}
      />
      {limitations.length > 0 && (
        <Panel title="Limitations" note="what this library does not support of the policies it uses" wide>
          <ul class="problems">
            {limitations.map((limitation) => (
              <li key={limitation}>
                <Icon of="warning" labelled /> {limitation}
              </li>
            ))}
          </ul>
        </Panel>
      )}
      {client.stream_details.map((stream) => (
        <StreamPanel key={stream.id} stream={stream} zone={client.zone} at={at} />
      ))}
    </div>
  );
}

function StreamPanel({ stream, zone, at }: { stream: Stream; zone: string | null; at: number }) {
  return (
    <Panel title={`Stream ${stream.id}`} note={<>{stream.protocol} · audience {stream.audience} · connected <Age seconds={stream.age_seconds} at={at} /></>} wide>
      {stream.identity && (
        <p class="dim">
          {stream.identity.name} <small>by {stream.identity.method}</small>
        </p>
      )}
      {stream.types.length === 0 && <Empty title="No subscription">The client has opened the stream, and has not asked for anything yet.</Empty>}
      {stream.types.map((type) => (
        <Type key={type.type} part={type} at={at} query={{ namespace: namespaceOf(stream), zone, client: stream.client }} />
      ))}
    </Panel>
  );
}

const namespaceOf = (stream: Stream): string => stream.locality?.namespace ?? "";

interface TypeProps {
  part: StreamType;
  at: number;
  query: Record<string, string | null>;
}

function Type({ part, at, query }: TypeProps) {
  const [filter, setFilter] = useState("");
  const rows = rowsOf(part);
  const shown = filter ? rows.filter((row) => matches(row.name.toLowerCase(), filter)) : rows;
  return (
    <details class="type" open={part.state !== "in_sync" || rows.length <= 8}>
      <summary>
        <Icon of={part.state} labelled /> <b>{part.type}</b> <span class="dim">{part.wildcard ? "all names" : counted(rows.length, "name")}</span>
        <span class="versions">
          {part.version_acked === part.version_sent ? (
            <>version <code>{part.version_acked || "none"}</code> acknowledged <Age seconds={part.acked_age_seconds} at={at} suffix=" ago" /></>
          ) : (
            <>version <code>{part.version_sent}</code> sent <Age seconds={part.sent_age_seconds} at={at} suffix=" ago" />, acknowledged <code>{part.version_acked || "none"}</code></>
          )}
        </span>
      </summary>
      {part.nack && (
        <p class="nack">
          <Icon of="refused" labelled /> refused version <code>{part.nack.version}</code> <Age seconds={part.nack.age_seconds} at={at} suffix=" ago" />: {part.nack.message}
        </p>
      )}
      {rows.length > 12 && <input class="search" type="search" aria-label={`Filter names of ${part.type}`} placeholder="Filter names" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />}
      <Table label={`Resources ${part.type}`} columns={COLUMNS(part.type, at, query)} rows={shown} id={(row) => row.name} most={10} rowHeight={32} empty={<Empty title="No names" />} />
    </details>
  );
}

type Row = StreamResource & { look: "refused" | "waiting" | "behind" | "absent" | "in_sync" };

/** Each name of a type with its state: those without a resource too. */
function rowsOf(part: StreamType): Row[] {
  const known = new Map<string, Row>();
  for (const resource of part.resources ?? []) known.set(resource.name, { ...resource, look: lookOf(resource) });
  for (const name of part.names) if (!known.has(name)) known.set(name, { name, version: "", status: "", error: null, sent_age_seconds: null, look: "in_sync" });
  for (const name of part.waiting) known.set(name, { name, version: "", status: "no answer yet", error: null, sent_age_seconds: null, look: "waiting" });
  for (const [name, reason] of Object.entries(part.absent)) known.set(name, { name, version: "", status: "absent", error: reason, sent_age_seconds: null, look: "absent" });
  return [...known.values()].sort((a, b) => a.name.localeCompare(b.name));
}

function lookOf(resource: StreamResource): Row["look"] {
  if (resource.error || resource.status === "nacked") return "refused";
  return resource.status === "acked" || resource.status === "" ? "in_sync" : "behind";
}

const COLUMNS = (type: string, at: number, query: Record<string, string | null>): Column<Row>[] => [
  { key: "name", title: "Name", width: "minmax(11rem, 3fr)", cell: (row) => <><Icon of={row.look} labelled /> <code class="clip" title={row.name}>{row.name}</code></> },
  { key: "status", title: "Status", width: "minmax(6rem, 1.6fr)", cell: (row) => <span class={`clip t-${row.look}`} title={row.error ?? ""}>{row.error ?? (row.status || STATE_TEXT[row.look])}</span> },
  { key: "version", title: "Version", width: "9rem", from: 640, cell: (row) => <code class="clip">{row.version || "–"}</code> },
  { key: "sent", title: "Sent", width: "5rem", right: true, from: 520, cell: (row) => <Age seconds={row.sent_age_seconds} at={at} /> },
  { key: "explain", title: "Explain", width: "5rem", right: true, cell: (row) => TARGET_TYPES.has(type) && <a class="text-link" href={link("explain", "", { target: row.name, ...query })}>explain</a> },
];
