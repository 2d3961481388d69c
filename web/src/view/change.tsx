// Changes as lines, and one change with all its parts.

import type { Change } from "../model/contract";
import { link } from "../model/route";
import { count, counted, duration, moment } from "../model/time";
import { Icon, STATE_TEXT } from "../part/icon";
import { Empty, Facts } from "../part/layout";

interface ChangeLinesProps {
  changes: readonly Change[];
  /** The text at the end of a line. */
  note?: (change: Change) => string;
}

export function ChangeLines({ changes, note = progress }: ChangeLinesProps) {
  if (changes.length === 0) return <Empty title="No changes yet">The journal starts with this replica, and keeps the newest changes.</Empty>;
  return (
    <ul class="lines">
      {changes.map((change) => (
        <li key={change.id}>
          <Icon of={change.kind} labelled />
          <time class="number dim">{moment(change.time)}</time>
          <a class="clip" href={link("changes", change.id)}>
            {change.text}
          </a>
          <span class="dim number end">{note(change)}</span>
        </li>
      ))}
    </ul>
  );
}

/** `18 of 20`, or the time to the last acknowledgement. */
export function progress(change: Change): string {
  const { sent, acked, nacked } = change.clients;
  if (nacked) return `${count(nacked)} refused`;
  if (sent === 0) return "no clients";
  return change.complete ? duration(change.last_acked_seconds) : `${count(acked)} of ${count(sent)}`;
}

/** Every part of a change. */
export function ChangeDetail({ change }: { change: Change }) {
  const { sent, acked, nacked, pending, ended } = change.clients;
  return (
    <section class="change" aria-label={`Change ${change.id}`}>
      <h2>
        <Icon of={change.kind} /> {change.text}
      </h2>
      <Steps change={change} />
      <Facts
        rows={[
          ["Kind", STATE_TEXT[change.kind]],
          ["Published", <time>{moment(change.time)}</time>],
          ["Replica", change.replica],
          ["Clients", sent ? `${count(sent)} sent, ${count(acked)} acknowledged, ${count(nacked)} refused, ${count(pending)} pending, ${count(ended)} ended` : "none subscribed"],
        ]}
      />
      <div class="change-lists">
        <Names title="Objects" names={change.objects} total={change.object_count} />
        <Names title="Services" names={change.services} total={change.service_count} view="services" />
        {Object.entries(change.resources).map(([type, names]) => (
          <Names key={type} title={`Resources ${type}`} names={names} />
        ))}
      </div>
      {change.nacks.length > 0 && (
        <ul class="problems">
          {change.nacks.map((nack) => (
            <li key={nack.node + nack.type}>
              <Icon of="refused" labelled /> <a href={link("nodes", nack.node)}>{nack.node || "no node id"}</a> <span class="dim">{nack.type}</span>
              <p>{nack.message}</p>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Names({ title, names, total = names.length, view }: { title: string; names: readonly string[]; total?: number; view?: string }) {
  if (names.length === 0) return null;
  return (
    <div>
      <h3>
        {title} <span class="note">{count(total)}</span>
      </h3>
      <ul class="names">
        {names.map((name) => (
          <li key={name}>{view ? <a href={link(view, name)}>{name}</a> : <code>{name}</code>}</li>
        ))}
        {total > names.length && <li class="dim">and {count(total - names.length)} more</li>}
      </ul>
    </div>
  );
}

/** The steps of a change in time: event, published, first sent, last acknowledged. */
function Steps({ change }: { change: Change }) {
  const steps: [string, number | null][] = [
    ["event → published", change.event_to_published_seconds],
    ["→ first sent", change.first_sent_seconds],
    [change.complete ? "→ last ACK" : "→ newest ACK", change.last_acked_seconds],
  ];
  const shown = steps.filter(([, seconds]) => seconds !== null);
  if (shown.length === 0) return null;
  return (
    <ol class="steps" aria-label={`Steps: ${counted(shown.length, "step")}`}>
      {shown.map(([name, seconds]) => (
        <li key={name}>
          <span class="dim">{name}</span> <b class="number">{duration(seconds)}</b>
        </li>
      ))}
    </ol>
  );
}
