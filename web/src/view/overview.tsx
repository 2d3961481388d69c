// The first view: whether all is well, and if not, where to look.

import type { ComponentChildren } from "preact";
import { SERVICE_STATES, STATES, type Change, type Service, type Status, type Workload } from "../model/contract";
import { link } from "../model/route";
import { changes, loaded, services, sortedProblems, status, workloads, type Received } from "../model/store";
import { count, counted, duration } from "../model/time";
import { Age } from "../part/age";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Head, Loading, Name, Panel } from "../part/layout";
import { StateBar, StateCounts } from "../part/state";
import { reasonOf } from "./service";
import { ChangeLines } from "./change";

const ROWS = 8;

export function Overview() {
  const now = status.value;
  return (
    <>
      <Head title="Overview" name="Overview" kicker={now && `replica ${now.replica}`} />
      {now === null ? <Loading what="the status" /> : <Body now={now} />}
    </>
  );
}

function Body({ now }: { now: Received<Status> }) {
  return (
    <div class="scroll">
      <Summary now={now} />
      <Tiles now={now} />
      <div class="panels">
        <Attention />
        <Recent />
        <Sources now={now} />
        <Limits now={now} />
      </div>
    </div>
  );
}

/** One sentence about the whole, with its icon. */
function Summary({ now }: { now: Status }) {
  const bad = STATES.find((state) => state !== "in_sync" && now.states[state]);
  const errors = [...services.value.values()].filter((service) => service.state === "error").length;
  const [icon, text]: ["error" | "warning" | "ok", ComponentChildren] = !now.ready
    ? ["error", `Not ready: ${now.missing.join("; ") || now.phase}`]
    : now.states.refused
      ? ["error", `${counted(now.states.refused, "stream")} refused the newest configuration`]
      : errors
        ? ["error", `${counted(errors, "service")} in error: no healthy endpoint, or refused`]
        : bad
          ? ["warning", "Some clients do not have the newest configuration, or ask for names that do not exist"]
          : now.streams
            ? ["ok", `All ${count(now.streams)} client streams are in sync`]
            : ["warning", "No client is connected"];
  return (
    <div class={`summary summary-${icon}`} role="status">
      <Icon of={icon} size={20} />
      <strong>{text}</strong>
      <StateCounts states={now.states} worst />
    </div>
  );
}

function Tile({ title, href, value, children }: { title: string; href?: string; value: ComponentChildren; children?: ComponentChildren }) {
  const inner = (
    <>
      <span class="tile-title">{title}</span>
      <span class="tile-value">{value}</span>
      <span class="tile-more">{children}</span>
    </>
  );
  return href ? (
    <a class="tile" href={href}>
      {inner}
    </a>
  ) : (
    <div class="tile">{inner}</div>
  );
}

function Tiles({ now }: { now: Received<Status> }) {
  const all = [...services.value.values()];
  const ends = { healthy: 0, total: 0 };
  for (const { endpoints } of all) {
    ends.healthy += endpoints.healthy;
    ends.total += endpoints.total;
  }
  const states = SERVICE_STATES.map((state) => [state, all.filter((service) => service.state === state).length] as const);
  return (
    <div class="tiles">
      <Tile title="Client streams" href={link("clients")} value={count(now.streams)}>
        <StateBar states={now.states} />
        {counted(now.workloads, "workload")}
      </Tile>
      <Tile title="Services" href={link("services")} value={count(now.services)}>
        <span class="counts">
          {states.map(([state, number]) => number > 0 && (
            <span key={state} class={`t-${state}`}>
              <Icon of={state} /> {count(number)} {STATE_TEXT[state]}
            </span>
          ))}
        </span>
      </Tile>
      <Tile title="Endpoints" value={<>{count(ends.healthy)} <small>of {count(ends.total)} healthy</small></>}>
        <span class="bar">
          <span class="b-healthy" style={{ flexGrow: ends.healthy }} />
          <span class="b-unready" style={{ flexGrow: ends.total - ends.healthy }} />
        </span>
      </Tile>
      <Tile title="Problems" href={link("problems")} value={count(now.problems)}>
        {now.problems ? "objects that are skipped or limited" : "every object is served"}
      </Tile>
      <Tile title="Oldest unacknowledged" value={now.oldest_unacked_seconds === null ? "none" : <Age seconds={now.oldest_unacked_seconds} at={now.at} />}>
        {now.absent ? `${counted(now.absent, "absent name")} subscribed` : "no absent names"}
      </Tile>
      <Tile title="Configuration changed" href={link("changes")} value={<Age seconds={now.config_age_seconds} at={now.at} suffix=" ago" />}>
        {Object.entries(now.resources).filter(([, number]) => number).map(([type, number]) => `${count(number)} ${type}`).join(" · ")}
      </Tile>
    </div>
  );
}

/** Workloads and services that are not well, the worst first, then problems. */
function Attention() {
  const bad = [...workloads.value.values()].filter((workload) => workload.state === "refused" || workload.state === "waiting" || workload.state === "absent");
  bad.sort((a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state) || a.id.localeCompare(b.id));
  const broken = [...services.value.values()].filter((service) => service.state === "error");
  const lines = [
    ...broken.map((service) => <ServiceLine key={`s${service.id}`} service={service} />),
    ...bad.map((workload) => <WorkloadLine key={`w${workload.id}`} workload={workload} />),
    ...sortedProblems.value.map((problem) => (
      <li key={`p${problem.where}${problem.reason}`}>
        <Icon of="warning" labelled />
        <a class="name" title={problem.where} href={link("problems", "", { q: problem.where })}>{problem.where}</a>
        <span class="dim clip">{problem.reason}</span>
      </li>
    )),
  ];
  return (
    <Panel title="Needs attention" note={lines.length || ""} wide>
      {lines.length === 0 ? (
        <Empty title="Nothing">Every client has the newest configuration, and every service with clients has healthy endpoints.</Empty>
      ) : (
        <ul class="lines">{lines.slice(0, ROWS)}</ul>
      )}
      {lines.length > ROWS && (
        <p class="more">
          and {count(lines.length - ROWS)} more: <a href={link("services", "", { state: "error" })}>services</a>, <a href={link("clients", "", { sort: "state" })}>clients</a>,{" "}
          <a href={link("problems")}>problems</a>
        </p>
      )}
    </Panel>
  );
}

function ServiceLine({ service }: { service: Service }) {
  return (
    <li>
      <Icon of={service.state} labelled />
      <a href={link("services", service.id)}>
        <Name id={service.id} />
      </a>
      <span class="dim clip">
        {reasonOf(service)}, {counted(service.clients.streams, "stream")}
      </span>
    </li>
  );
}

function WorkloadLine({ workload }: { workload: Workload }) {
  return (
    <li>
      <Icon of={workload.state} labelled />
      <a href={link("clients", workload.id)}>
        <Name id={workload.id} />
      </a>
      <StateCounts states={workload.states} worst />
    </li>
  );
}

function Recent() {
  const recent = [...changes.value.values()].sort(newestFirst).slice(0, ROWS);
  return (
    <Panel title="Recent changes" note={<a href={link("changes")}>timeline</a>} wide>
      {recent.length === 0 ? (
        loaded.value.has("changes") ? (
          <Empty title="No changes yet">Changes of Services, endpoints, policies and routes appear here as they are published.</Empty>
        ) : (
          <Loading what="changes" />
        )
      ) : (
        <ChangeLines changes={recent} note={acknowledged} />
      )}
    </Panel>
  );
}

/** The time to the last acknowledgement, or how many clients have acknowledged. */
const acknowledged = (change: Change): string =>
  change.complete ? duration(change.last_acked_seconds) : `${change.clients.acked}/${change.clients.sent}`;

export const newestFirst = (a: Change, b: Change): number => Number(b.id) - Number(a.id);

function Sources({ now }: { now: Received<Status> }) {
  return (
    <Panel title="Sources" note={now.informers.length ? counted(now.informers.length, "informer") : ""}>
      {now.informers.length === 0 ? (
        <Empty title="No Kubernetes API">This replica reads manifest files only.</Empty>
      ) : (
        <ul class="lines">
          {now.informers.map((informer) => (
            <li key={`${informer.cluster}/${informer.kind}/${informer.namespace}`}>
              <Icon of={informer.stale ? "warning" : informer.synced ? "ok" : "waiting"} labelled />
              <span class="clip">{informer.cluster ? `${informer.cluster}: ` : ""}{informer.kind}</span>
              <span class="dim end">last message <Age seconds={informer.silent_seconds} at={now.at} suffix=" ago" /></span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}

function Limits({ now }: { now: Received<Status> }) {
  const refused = Object.entries(now.refused).filter(([, number]) => number > 0);
  return (
    <Panel title="Refused by limits" note={<>since start, <Age seconds={now.age_seconds} at={now.at} /></>}>
      {refused.length === 0 ? (
        <Empty title="None">No client has reached a limit of this replica.</Empty>
      ) : (
        <ul class="lines">
          {refused.map(([limit, number]) => (
            <li key={limit}>
              <Icon of="warning" /> <code>{limit}</code> <span class="end number">{count(number)}</span>
            </li>
          ))}
        </ul>
      )}
    </Panel>
  );
}
