// The graph of workloads and the services that they hold. A workload and a Service of the same name share a box.

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { STATES, type ServiceState, type State } from "../model/contract";
import { link, setQuery } from "../model/route";
import { edges, edgesLoaded, services, watchEdges, workloads, type EdgeItem } from "../model/store";
import { count, counted } from "../model/time";
import { matches, parameter, Search, Select } from "../part/filter";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading } from "../part/layout";
import { useSize } from "../part/table";
import { layered } from "../picture/layers";
import { fittedName } from "../picture/text";

const BOX = { width: 196, height: 30 };
/** Where the text of a box starts, beside its icon. */
const TEXT = 30;
const ACROSS = 262;
const DOWN = 40;
const THIN = 12;
const MOST = 240;
const MARGIN = 24;

interface Line {
  from: string;
  to: string;
  streams: number;
  state: State;
}

export function GraphView() {
  useEffect(watchEdges, []);
  const [text, namespace, focus, group] = [parameter("q"), parameter("namespace"), parameter("focus"), parameter("group")];
  const all = edges.value;
  const shown = useMemo(() => {
    const inside = [...all.values()].filter(
      (edge) => (!namespace || edge.workload.startsWith(`${namespace}/`) || edge.service.startsWith(`${namespace}/`)) && (!text || matches(`${edge.workload} ${edge.service}`.toLowerCase(), text)),
    );
    const id = focus.slice(2);
    return focus ? inside.filter((edge) => edge.workload === id || edge.service === id) : inside;
  }, [all, namespace, text, focus]);
  const names = new Set(shown.flatMap((edge) => [edge.workload, edge.service]));
  const byNamespace = group === "namespace" || (group === "" && names.size > MOST);
  const namespaces = useMemo(() => [...new Set([...workloads.value.values(), ...services.value.values()].map((item) => item.namespace))].sort(), [workloads.value, services.value]);
  return (
    <>
      <Head title="Graph" name="Graph" kicker={edgesLoaded.value ? `${counted(names.size, "box", "boxes")}, ${counted(shown.length, "line")}` : ""}>
        <Search label="Filter the graph" />
        <Select label="Namespace" name="namespace" all="All namespaces" options={namespaces} />
        <button type="button" class="button" aria-pressed={byNamespace} onClick={() => setQuery({ group: byNamespace ? "none" : "namespace" })}>
          By namespace
        </button>
      </Head>
      {focus && (
        <p class="focus-line">
          Neighbours of <b>{focus.slice(2)}</b>
          {workloads.value.has(focus.slice(2)) && <a href={link("clients", focus.slice(2))}>Open the workload</a>}
          {services.value.has(focus.slice(2)) && <a href={link("services", focus.slice(2))}>Open the service</a>}
          <button type="button" class="plain-button" onClick={() => setQuery({ focus: null })}>
            Show all
          </button>
        </p>
      )}
      {!edgesLoaded.value ? (
        <Loading what="the graph" />
      ) : shown.length === 0 ? (
        <Empty title={all.size ? "Nothing matches" : "No subscriptions yet"}>{all.size ? "Remove a filter, or press Esc in the filter to clear it." : "A line appears when a client asks for a service."}</Empty>
      ) : (
        <Picture lines={merged(shown, byNamespace)} grouped={byNamespace} />
      )}
    </>
  );
}

/** Lines between boxes: one for each pair, with the worst state. */
function merged(shown: readonly EdgeItem[], grouped: boolean): Line[] {
  const lines = new Map<string, Line>();
  for (const { workload, service, streams, state } of shown) {
    const [from, to] = grouped ? [workload.split("/")[0] ?? "", service.split("/")[0] ?? ""] : [workload, service];
    const old = lines.get(`${from}→${to}`);
    const worst = old && STATES.indexOf(old.state) < STATES.indexOf(state) ? old.state : state;
    lines.set(`${from}→${to}`, { from, to, streams: streams + (old?.streams ?? 0), state: worst });
  }
  return [...lines.values()].sort((a, b) => a.from.localeCompare(b.from) || a.to.localeCompare(b.to));
}

function Picture({ lines, grouped }: { lines: Line[]; grouped: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const size = useSize(box);
  const [hover, setHover] = useState("");
  const [zoom, setZoom] = useState<number | null>(null);
  // The same boxes and lines keep their positions while only states and counts change.
  const shape = lines.map((line) => `${line.from}→${line.to}`).join("\n");
  const layout = useMemo(() => {
    const names = [...new Set(lines.flatMap((line) => [line.from, line.to]))].sort();
    return layered(names, lines.filter((line) => line.from !== line.to), ACROSS, DOWN, THIN);
  }, [shape]);
  const drawn = lines.filter((line) => line.from !== line.to);
  const [width, height] = [layout.width - ACROSS + BOX.width + 2 * MARGIN, layout.height + 2 * MARGIN];
  const fit = Math.max(0.7, Math.min(1.15, (size.width - 4) / width, Math.max(0.9, (size.height - 4) / height)));
  const scale = zoom ?? fit;
  const near = new Set(hover ? drawn.filter((line) => line.from === hover || line.to === hover).flatMap((line) => [line.from, line.to]) : []);
  const dim = (name: string) => hover !== "" && name !== hover && !near.has(name);

  return (
    <div
      ref={box}
      class="graph"
      tabIndex={0}
      role="group"
      aria-label="Graph of workloads and services"
      onKeyDown={(event) => {
        if (event.key === "+" || event.key === "=") setZoom(Math.min(2, scale * 1.2));
        else if (event.key === "-") setZoom(Math.max(0.2, scale / 1.2));
        else if (event.key === "0") setZoom(null);
      }}
    >
      <div class="zoom" role="group" aria-label="Zoom">
        <button type="button" aria-label="Smaller" onClick={() => setZoom(Math.max(0.2, scale / 1.2))}>−</button>
        <button type="button" aria-label={`${Math.round(scale * 100)} %: fit`} onClick={() => setZoom(null)}>{Math.round(scale * 100)} %</button>
        <button type="button" aria-label="Larger" onClick={() => setZoom(Math.min(2, scale * 1.2))}>+</button>
      </div>
      <svg viewBox={`0 0 ${width} ${height}`} width={width * scale} height={height * scale} role="group" aria-label={`${layout.position.size} boxes, ${drawn.length} lines`}>
        <g transform={`translate(${MARGIN} ${MARGIN})`}>
          {drawn.map((line, index) => (
            <path
              key={`${line.from}→${line.to}`}
              class={`edge e-${line.state}${hover && line.from !== hover && line.to !== hover ? " faded" : ""}`}
              d={curve(layout.paths[index] ?? [])}
              stroke-width={1 + Math.min(4, Math.log10(Math.max(1, line.streams)) * 1.4)}
            >
              <title>{`${line.from} → ${line.to}: ${counted(line.streams, "stream")}, ${STATE_TEXT[line.state]}`}</title>
            </path>
          ))}
          {[...layout.position].map(([name, { x, y }]) => (
            <Box key={name} name={name} x={x} y={y - BOX.height / 2} grouped={grouped} faded={dim(name)} onHover={setHover} />
          ))}
        </g>
      </svg>
    </div>
  );
}

interface BoxProps {
  name: string;
  x: number;
  y: number;
  grouped: boolean;
  faded: boolean;
  onHover: (name: string) => void;
}

function Box({ name, x, y, grouped, faded, onHover }: BoxProps) {
  const look = grouped ? namespaceLook(name) : looks(name);
  const start = grouped ? 0 : name.indexOf("/") + 1;
  const [namespace, short] = fittedName(name.slice(0, start), name.slice(start), BOX.width - TEXT - 10, "550 12.5px");
  // WCAG 2.5.3: the name of a link has the text that it shows.
  const shown = namespace + short;
  const target = grouped ? link("graph", "", { namespace: name, group: "none" }) : link("graph", "", { focus: `${look.service ? "s" : "w"}:${name}` });
  return (
    <a
      href={target}
      aria-label={`${shown === name ? "" : `${shown}, `}${name}: ${look.text}`}
      onMouseEnter={() => onHover(name)}
      onMouseLeave={() => onHover("")}
      onFocus={() => onHover(name)}
      onBlur={() => onHover("")}
    >
      <g class={`node ${look.service ? "node-service" : "node-workload"}${faded ? " faded" : ""} n-${look.icon}`} transform={`translate(${x} ${y})`}>
        <title>{`${name}\n${look.text}`}</title>
        <rect width={BOX.width} height={BOX.height} rx={look.service ? 7 : 15} />
        <svg x="9" y="8" width="14" height="14">
          <Icon of={look.icon} />
        </svg>
        <text x={TEXT} y="19.5">
          <tspan class="node-space">{namespace}</tspan>
          {short}
        </text>
      </g>
    </a>
  );
}

interface Look {
  icon: State | ServiceState;
  service: boolean;
  text: string;
}

function looks(name: string): Look {
  const [workload, service] = [workloads.value.get(name), services.value.get(name)];
  const texts: string[] = [];
  if (workload) texts.push(`workload, ${counted(workload.streams, "stream")} ${STATE_TEXT[workload.state]}`);
  if (service) texts.push(`service, ${count(service.endpoints.healthy)} of ${counted(service.endpoints.total, "endpoint")} healthy`);
  const bad = workload && workload.state !== "in_sync" ? workload.state : undefined;
  const icon = service && (service.state === "error" || service.state === "warning" || !bad) ? service.state : (bad ?? workload?.state ?? "idle");
  if (!workload && !service) return { icon: "absent", service: true, text: "service that does not exist" };
  return { icon, service: Boolean(service), text: texts.join("; ") };
}

const WORST: readonly ServiceState[] = ["error", "warning", "ok", "idle"];

function namespaceLook(namespace: string): Look {
  const inside = [...services.value.values()].filter((service) => service.namespace === namespace);
  const callers = [...workloads.value.values()].filter((workload) => workload.namespace === namespace).length;
  const icon = WORST.find((state) => inside.some((service) => service.state === state)) ?? "idle";
  return { icon, service: inside.length > 0, text: `namespace, ${counted(inside.length, "service")}, ${counted(callers, "workload")}` };
}

/** A smooth line through the points; the ends are the sides of boxes. */
function curve(points: readonly { x: number; y: number }[]): string {
  const [first, ...rest] = points;
  if (!first) return "";
  const back = (rest.at(-1)?.x ?? first.x) < first.x;
  let [x, y] = [first.x + (back ? 0 : BOX.width), first.y];
  let path = `M${x} ${y}`;
  for (const [index, point] of rest.entries()) {
    const last = index === rest.length - 1;
    const to = last ? point.x + (back ? BOX.width : 0) : point.x;
    const bend = (to - x) / 2;
    path += `C${x + bend} ${y} ${to - bend} ${point.y} ${to} ${point.y}`;
    [x, y] = [to, point.y];
    if (!last) {
      x += back ? -0 : BOX.width;
      path += `L${x} ${y}`;
    }
  }
  return path;
}
