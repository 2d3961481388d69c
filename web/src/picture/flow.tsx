// The way of a call through a service: clients, rules of routes, backends, zones of endpoints.

import type { Endpoint, RouteRule, ServiceDetail, States } from "../model/contract";
import { link } from "../model/route";
import { services } from "../model/store";
import { counted } from "../model/time";
import { fitted, fittedName } from "./text";

interface Node {
  key: string;
  column: number;
  title: string;
  lines: string[];
  look: string;
  href?: string;
}

interface Band {
  from: string;
  to: string;
  share: number;
  text: string;
}

const COLUMN = 250;
const BOX = 186;
const LINE = 16;
const PAD = 9;
const SPACE = 14;
const MOST = 6;
const TEXT = BOX - 2 * PAD - 4;
const TITLES = ["Clients", "Rules", "Backends", "Endpoints by zone"];

export function Flow({ service }: { service: ServiceDetail }) {
  const { nodes, links } = picture(service);
  const boxes = arranged(nodes);
  const height = Math.max(...[...boxes.values()].map((box) => box.y + box.height)) + 8;
  return (
    <div class="flow" tabIndex={0} role="group" aria-label="Way of a call">
      <svg viewBox={`0 0 ${3 * COLUMN + BOX + 4} ${height}`} width={3 * COLUMN + BOX + 4} height={height} role="group" aria-label={`From clients of ${service.id} to its endpoints`}>
        {TITLES.map((title, column) => (
          <text key={title} class="flow-head" x={column * COLUMN + 2} y="12">
            {title}
          </text>
        ))}
        {links.map((edge) => {
          const [from, to] = [boxes.get(edge.from), boxes.get(edge.to)];
          if (!from || !to) return null;
          const [x1, y1, x2, y2] = [from.x + BOX, from.y + from.height / 2, to.x, to.y + to.height / 2];
          return (
            <g key={`${edge.from}→${edge.to}`} class={edge.share > 0 ? "flow-link" : "flow-link flow-none"}>
              <path d={`M${x1} ${y1}C${x1 + 32} ${y1} ${x2 - 32} ${y2} ${x2} ${y2}`} stroke-width={1.5 + 9 * edge.share} />
            </g>
          );
        })}
        {links.map((edge) => {
          const to = boxes.get(edge.to);
          return to && edge.text && <text key={`${edge.from}→${edge.to}`} class="flow-share" x={to.x - 6} y={to.y + to.height / 2 + shift(links, edge)}>{edge.text}</text>;
        })}
        {nodes.map((node) => {
          const box = boxes.get(node.key);
          return box && <Box key={node.key} node={node} box={box} />;
        })}
      </svg>
    </div>
  );
}

function Box({ node, box }: { node: Node; box: Placed }) {
  const name = node.title.lastIndexOf("/") + 1;
  const inner = (
    <g class={`flow-box ${node.look}`} transform={`translate(${box.x} ${box.y})`}>
      <title>{[node.title, ...node.lines].join("\n")}</title>
      <rect width={BOX} height={box.height} rx="7" />
      <text x={PAD + 2} y={PAD + 12} class="flow-title">{fittedName(node.title.slice(0, name), node.title.slice(name), TEXT, "600 12.5px").join("")}</text>
      {node.lines.map((line, index) => (
        <text key={index} x={PAD + 2} y={PAD + 12 + LINE * (index + 1)} class="flow-line">{fitted(line, TEXT, "400 11.5px")}</text>
      ))}
    </g>
  );
  return node.href ? <a href={node.href}>{inner}</a> : inner;
}

/** Where the share of a line stands: one below the other where several lines end. */
function shift(links: readonly Band[], edge: Band): number {
  const same = links.filter((other) => other.to === edge.to && other.text);
  return -7 + same.indexOf(edge) * 26;
}

function picture(service: ServiceDetail): { nodes: Node[]; links: Band[] } {
  const nodes: Node[] = [];
  const links: Band[] = [];
  const clients = service.subscribers.toSorted((a, b) => b.streams - a.streams);
  for (const { workload, streams, states } of clients.slice(0, MOST))
    nodes.push({ key: `c${workload}`, column: 0, title: workload, lines: [counted(streams, "stream"), ...(isAbsent(states) ? ["absent names"] : [])], look: isAbsent(states) ? "flow-client flow-bad" : "flow-client", href: link("clients", workload) });
  if (clients.length > MOST) nodes.push({ key: "c", column: 0, title: `${clients.length - MOST} more workloads`, lines: [], look: "flow-client" });
  if (clients.length === 0) nodes.push({ key: "c", column: 0, title: "No clients", lines: ["no stream asks for it"], look: "flow-idle" });
  const callers = nodes.map((node) => node.key);

  const rules = service.routing.flatMap(({ object, rules: inner }) => inner.map((rule) => ({ object, rule })));
  if (rules.length === 0) rules.push({ object: "No route", rule: direct(service) });
  const total = Math.max(1, service.clients.streams);
  for (const [index, { object, rule }] of rules.entries()) {
    const key = `r${index}`;
    nodes.push({ key, column: 1, title: object, lines: ruleLines(rule), look: "flow-rule" });
    for (const caller of callers) {
      const client = clients.find(({ workload }) => `c${workload}` === caller);
      const streams = client && !isAbsent(client.states) ? client.streams : 0;
      links.push({ from: caller, to: key, share: Math.min(1, streams / total) * 0.6, text: "" });
    }
    for (const backend of rule.backends) {
      const to = `b${backend.service}:${backend.port ?? ""}`;
      if (!nodes.some((node) => node.key === to)) {
        nodes.push(backendNode(to, backend.service, backend.port));
        if (backend.service !== service.id) addOther(to, backend.service, nodes, links);
      }
      const share = backend.share ?? 1 / rule.backends.length;
      links.push({ from: key, to, share, text: rule.backends.length > 1 || share < 1 ? `${Math.round(share * 1000) / 10} %` : "" });
    }
  }
  addZones(service, nodes, links);
  return { nodes, links };
}

/** Every stream subscribes to a name that does not exist. */
const isAbsent = (states: States): boolean => Boolean(states.absent) && Object.keys(states).length === 1;

function direct(service: ServiceDetail): RouteRule {
  return { matches: ["every call"], filters: [], backends: service.ports.map(({ number }) => ({ service: service.id, port: number, weight: null, share: 1 })) };
}

function ruleLines(rule: RouteRule): string[] {
  const lines = [...(rule.matches.length ? rule.matches : ["every call"]), ...rule.filters.map((filter) => `↳ ${filter}`)];
  return lines.length > 4 ? [...lines.slice(0, 3), `and ${lines.length - 3} more`] : lines;
}

function backendNode(key: string, service: string | null, port: number | null): Node {
  if (service === null) return { key, column: 2, title: "No backend", lines: ["these calls fail"], look: "flow-bad" };
  return { key, column: 2, title: service, lines: [port === null ? "every port" : `port ${port}`], look: "flow-backend", href: link("services", service) };
}

/** The healthy endpoints of another service, by zone; single ports are in its own view. */
function addOther(from: string, id: string | null, nodes: Node[], links: Band[]): void {
  const other = services.value.get(id ?? "");
  const zones = Object.entries(other?.zones ?? {});
  for (const [zone, healthy] of zones) {
    nodes.push({ key: `${from}/${zone}`, column: 3, title: zone || "no zone", lines: [`${counted(healthy, "endpoint")} of ${id}`], look: "flow-zone" });
    links.push({ from, to: `${from}/${zone}`, share: healthy / (other?.endpoints.healthy || 1), text: "" });
  }
  if (id !== null && zones.length === 0) {
    const lines = [other ? "none is healthy" : "the calls fail"];
    nodes.push({ key: `${from}/`, column: 3, title: other ? "No endpoints" : "No such service", lines, look: "flow-bad" });
    links.push({ from, to: `${from}/`, share: 0, text: "" });
  }
}

/** The zones of the ports of this service. */
function addZones(service: ServiceDetail, nodes: Node[], links: Band[]): void {
  for (const port of service.port_details) {
    const from = `b${service.id}:${port.number}`;
    if (!nodes.some((node) => node.key === from)) continue;
    const zones = Map.groupBy(port.endpoints, (endpoint: Endpoint) => endpoint.zone || "no zone");
    const healthy = port.endpoints.filter((endpoint) => endpoint.state === "healthy").length;
    for (const [zone, members] of [...zones].sort(([a], [b]) => a.localeCompare(b))) {
      const well = members.filter((endpoint) => endpoint.state === "healthy").length;
      const key = `z${port.number}/${zone}`;
      nodes.push({ key, column: 3, title: zone, lines: [`${well} of ${members.length} healthy, port ${port.number}`], look: well ? "flow-zone" : "flow-bad" });
      links.push({ from, to: key, share: healthy ? well / healthy : 0, text: "" });
    }
    if (zones.size === 0) {
      nodes.push({ key: `z${port.number}`, column: 3, title: "No endpoints", lines: [`port ${port.number}`], look: "flow-bad" });
      links.push({ from, to: `z${port.number}`, share: 0, text: "" });
    }
  }
}

interface Placed {
  x: number;
  y: number;
  height: number;
}

/** Columns from left to right, each centred. */
function arranged(nodes: readonly Node[]): Map<string, Placed> {
  const columns = [0, 1, 2, 3].map((column) => nodes.filter((node) => node.column === column));
  const heights = columns.map((members) => members.reduce((sum, node) => sum + tall(node) + SPACE, -SPACE));
  const most = Math.max(...heights);
  const boxes = new Map<string, Placed>();
  for (const [column, members] of columns.entries()) {
    let y = 26 + (most - (heights[column] ?? 0)) / 2;
    for (const node of members) {
      boxes.set(node.key, { x: column * COLUMN + 2, y, height: tall(node) });
      y += tall(node) + SPACE;
    }
  }
  return boxes;
}

const tall = (node: Node): number => 2 * PAD + LINE * (node.lines.length + 1) - 2;
