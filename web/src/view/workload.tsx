// The clients of one workload: their states, services and nodes.

import { useEffect } from "preact/hooks";
import type { Graph, Workload } from "../model/contract";
import { link } from "../model/route";
import { loaded, workloads, type Received } from "../model/store";
import { count, counted } from "../model/time";
import { Age } from "../part/age";
import { useDocument } from "../part/document";
import { Icon, StateLabel } from "../part/icon";
import { Empty, Facts, Head, Loading, Name, Panel } from "../part/layout";
import { StateCounts } from "../part/state";
import { Table } from "../part/table";
import { NODE_COLUMNS, useNodes } from "./clients";

export function WorkloadView({ id }: { id: string }) {
  const row = workloads.value.get(id);
  return (
    <>
      <Head title={<Name id={id} whole />} name={id} kicker={<><a href={link("clients")}>Clients</a>{row?.kind && ` · ${row.kind}`}</>}>
        {row && <StateLabel of={row.state} />}
        <a class="button" href={link("graph", "", { focus: `w:${id}` })}>
          Graph
        </a>
      </Head>
      {row ? <Body row={row} /> : loaded.value.has("clients") ? <Gone id={id} /> : <Loading what={id} />}
    </>
  );
}

function Gone({ id }: { id: string }) {
  return (
    <div class="scroll">
      <Empty title={`No client of ${id} is connected`}>
        It appears here as soon as a client connects. <a href={link("clients")}>All clients</a>
      </Empty>
    </div>
  );
}

function Body({ row }: { row: Received<Workload> }) {
  const graph = useDocument<Graph>("/api/v1/graph", { workload: row.id }, row.at);
  const { rows, total, more, again } = useNodes({ workload: row.id });
  useEffect(again, [row.nodes, row.streams, row.state]);
  const edges = graph.data?.edges.toSorted((a, b) => a.service.localeCompare(b.service)) ?? null;
  return (
    <div class="scroll">
      <Facts
        rows={[
          ["Streams", <><b>{count(row.streams)}</b> of {counted(row.nodes, "node")}</>],
          ["States", <StateCounts states={row.states} />],
          ["Libraries", parts(row.libraries)],
          ["Zones", parts(row.zones)],
          ["Oldest unacknowledged", <Age seconds={row.oldest_unacked_seconds} at={row.at} />],
          ["Connected", <Age seconds={row.age_seconds} at={row.at} />],
        ]}
      />
      <div class="panels">
        <Panel title="Services" note={edges ? count(edges.length) : ""} wide>
          {edges === null ? (
            <Loading what="services" />
          ) : edges.length === 0 ? (
            <Empty title="No service">Its streams have not asked for a service yet.</Empty>
          ) : (
            <ul class="lines lines-wide">
              {edges.map((edge) => (
                <li key={edge.service}>
                  <Icon of={edge.state} labelled />
                  <a href={link("services", edge.service)}>
                    <Name id={edge.service} />
                  </a>
                  <span class="dim end">{counted(edge.streams, "stream")}</span>
                </li>
              ))}
            </ul>
          )}
        </Panel>
        <Panel title="Nodes" note={rows ? count(total) : ""} wide>
          {rows === null ? (
            <Loading what="nodes" />
          ) : (
            <Table label="Nodes of the workload" columns={NODE_COLUMNS.filter((column) => column.key !== "workload")} rows={rows} total={total} more={more} id={(node) => node.id} href={(node) => link("nodes", node.id)} most={12} empty={<Empty title="No nodes" />} />
          )}
        </Panel>
      </div>
    </div>
  );
}

const parts = (numbers: Record<string, number>): string =>
  Object.entries(numbers)
    .map(([name, number]) => `${name || "unknown"} (${count(number)})`)
    .join(", ") || "–";
