// The frame around every view: navigation, state of the connection, colours, help.

import type { ComponentChildren } from "preact";
import { inSession, logOut } from "../model/request";
import { link, route } from "../model/route";
import { events, problems, services, status, workloads } from "../model/store";
import { age, clock, count } from "../model/time";
import { setTheme, theme } from "../model/theme";
import { overlay } from "../model/overlay";
import { Glyph } from "./icon";

export const VIEWS = [
  { view: "overview", title: "Overview", letter: "o" },
  { view: "services", title: "Services", letter: "s" },
  { view: "clients", title: "Clients", letter: "c" },
  { view: "matrix", title: "Services × clients", letter: "m" },
  { view: "graph", title: "Graph", letter: "g" },
  { view: "changes", title: "Changes", letter: "h" },
  { view: "problems", title: "Problems", letter: "p" },
  { view: "explain", title: "Explain", letter: "e" },
] as const;

const PARENT: Record<string, string> = { "": "overview", nodes: "clients" };

export function Shell({ children }: { children: ComponentChildren }) {
  const first = route.value.path[0] ?? "";
  const current = PARENT[first] ?? first;
  const counts: Partial<Record<string, number>> = { services: services.value.size, clients: workloads.value.size, problems: problems.value.length };
  return (
    <div class="shell">
      <a class="skip" href="#title" onClick={(event) => { event.preventDefault(); document.getElementById("title")?.focus(); }}>
        Skip to the content
      </a>
      <nav class="side" aria-label="Views">
        <a class="brand" href={link("overview")}>
          <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">
            <rect width="32" height="32" rx="9" />
            <path d="M7 22c9 0 6-12 18-12M7 22c9 0 9 3 18 3" />
          </svg>
          steerway
        </a>
        <ul>
          {VIEWS.map(({ view, title }, index) => (
            <li key={view}>
              <a href={link(view)} aria-current={view === current ? "page" : undefined} title={`${title} (${index + 1})`}>
                <Glyph of={view} />
                <span class="nav-title">{title}</span>
                {counts[view] ? <span class={`nav-count${view === "problems" ? " nav-bad" : ""}`}>{count(counts[view] ?? 0)}</span> : null}
              </a>
            </li>
          ))}
        </ul>
        <Foot />
      </nav>
      <main class="main">
        <Stale />
        {children}
      </main>
    </div>
  );
}

function Foot() {
  const connection = events().connection.value;
  const now = status.value;
  return (
    <div class="foot">
      <button type="button" class="icon-button" aria-label="Find a service, client or view" title="Find (Ctrl K)" onClick={() => (overlay.value = "find")}>
        <Glyph of="search" />
      </button>
      <button type="button" class="icon-button" aria-label={theme.value === "dark" ? "Use light colours" : "Use dark colours"} title="Colours (d)" onClick={() => setTheme(theme.value === "dark" ? "light" : "dark")}>
        <Glyph of={theme.value === "dark" ? "light" : "dark"} />
      </button>
      <button type="button" class="icon-button" aria-label="Keys" title="Keys (?)" onClick={() => (overlay.value = "help")}>
        <Glyph of="keyboard" />
      </button>
      <LogOut />
      <span class={`live live-${connection}`} title={now ? `${now.replica}, steerway ${now.version}` : ""}>
        <span class="live-dot" aria-hidden="true" />
        <span class="live-text">{connection === "live" ? "Live" : connection === "stale" ? "Not live" : "Connecting"}</span>
      </span>
    </div>
  );
}

/** Only where the login form was used. */
function LogOut() {
  if (!inSession.value) return null;
  return (
    <button type="button" class="icon-button" aria-label="Log out" title="Log out" onClick={() => void logOut()}>
      <Glyph of="out" />
    </button>
  );
}

/** Shown while the page does not get events: its values are old. */
function Stale() {
  const connection = events();
  if (connection.connection.value !== "stale") return null;
  const since = status.value ? age((clock.value - status.value.at) / 1000) : null;
  return (
    <div class="stale" role="alert">
      <strong>Not live.</strong> {since !== null && <>What is shown is {since} old: </>}
      {connection.reason.value}.
      <button type="button" class="button" onClick={() => connection.retry()}>
        Connect now
      </button>
    </div>
  );
}
