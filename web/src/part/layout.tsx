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

/** `shop/backend` with the namespace in a weaker colour. */
export function Name({ id }: { id: string }) {
  const cut = id.indexOf("/");
  return (
    <span class="name" title={id}>
      {cut >= 0 && <span class="dim">{id.slice(0, cut + 1)}</span>}
      {id.slice(cut + 1)}
    </span>
  );
}
