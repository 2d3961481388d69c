// The frame of a view: title, panels, facts, and what stands where nothing is.

import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";

interface HeadProps {
  title: ComponentChildren;
  /** Of the window; the view's heading has it as well. */
  name: string;
  kicker?: ComponentChildren;
  children?: ComponentChildren;
}

/** The head of a view: its one `h1`, and controls. */
export function Head({ title, name, kicker, children }: HeadProps) {
  useEffect(() => {
    document.title = `${name} · steerway`;
  }, [name]);
  return (
    <header class="head">
      <div class="head-title">
        {kicker && <div class="kicker">{kicker}</div>}
        <h1 id="title" tabIndex={-1}>
          {title}
        </h1>
      </div>
      <div class="controls">{children}</div>
    </header>
  );
}

interface PanelProps {
  title: ComponentChildren;
  note?: ComponentChildren;
  wide?: boolean;
  children: ComponentChildren;
}

export function Panel({ title, note, wide = false, children }: PanelProps) {
  return (
    <section class={`panel${wide ? " panel-wide" : ""}`}>
      <h2>
        {title} {note !== undefined && <span class="note">{note}</span>}
      </h2>
      {children}
    </section>
  );
}

/** What to do where there is nothing to see. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <div class="empty" role="status">
      <span class="spinner" aria-hidden="true" /> Loading {what} …
    </div>
  );
}

export function Facts({ rows }: { rows: readonly (readonly [string, ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Characters from which on a name is cut in its middle, and those at the ends that stay: there names of a fleet differ. */
const LONG = 24;
const NAMESPACE_END = 5;
const NAME_END = 10;

/** `shop/backend` with the namespace in a weaker colour. Where a long one has no room its middle is cut; `whole`: it wraps. */
export function Name({ id, whole = false }: { id: string; whole?: boolean }) {
  const start = id.indexOf("/") + 1;
  const [namespace, name] = [id.slice(0, start), id.slice(start)];
  if (whole || id.length <= LONG)
    return (
      <span class={whole ? "name name-whole" : "name"} title={id}>
        {namespace && <span class="name-space">{namespace}</span>}
        {name}
      </span>
    );
  return (
    <span class="name name-parts" title={id}>
      <span class="name-space">{namespace.slice(0, -NAMESPACE_END)}</span>
      <span class="name-space name-end">{namespace.slice(-NAMESPACE_END)}</span>
      <span>{name.slice(0, -NAME_END)}</span>
      <span class="name-end">{name.slice(-NAME_END)}</span>
    </span>
  );
}
