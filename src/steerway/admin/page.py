"""The index page: what is wrong, who is connected, and where to look closer. One file, no scripts, no
assets."""

from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

from steerway import __version__
from steerway.admin.view import Phase, ProblemView

ENDPOINTS = {
    "/healthz": "alive",
    "/readyz": "ready for clients, or what is missing",
    "/metrics": "Prometheus metrics",
    "/api/v1/streams": "every client: names, versions, ages, refusals; ?node= (with *) and ?type=",
    "/api/v1/resources": "what is served and what is absent; ?type= and ?audience=",
    "/api/v1/resources/cds": "one type: lds, rds, cds, eds, sds, or its full name",
    "/api/v1/resources/cds/NAME": "one resource with its body, for each audience",
    "/api/v1/problems": "objects and documents that are skipped, and what to do",
}
_ROWS = 200
"""Rows of streams on the page; the API has them all."""

_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #30363d); --dim: light-dark(#59636e, #9198a1);
  --good: light-dark(#1a7f37, #3fb950); --bad: light-dark(#cf222e, #f85149); --soft: light-dark(#f6f8fa,
  #161b22); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1f2328, #e6edf3); background: light-dark(#fff, #0d1117); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; } small, .dim { color:
var(--dim); } table { border-collapse: collapse; width: 100%; } th { text-align: left; color: var(--dim);
font-weight: 500; } th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line);
vertical-align: top; } td, code { overflow-wrap: anywhere; } code { font: 13px ui-monospace, monospace; }
.good { color: var(--good); } .bad { color: var(--bad); } a { color: inherit; }
.state { background: var(--soft); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
margin: 1rem 0; } .state ul { margin: .25rem 0 0; padding-left: 1.25rem; }
"""


def render(
    streams: Sequence[dict[str, Any]],
    resources: int,
    phase: Phase,
    missing: Sequence[str],
    problems: Sequence[ProblemView],
) -> str:
    """The whole page. `streams` as `stream.describe` makes them, `missing` as `/readyz` says it."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>steerway</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body><h1>steerway <small>{escape(__version__)}</small></h1>"
        f"{_state(phase, missing, len(streams), resources)}"
        f"<h2>Problems</h2>{_problems(problems)}<h2>Clients</h2>{_streams(streams)}"
        f"<h2>Look closer</h2>{_endpoints()}</body></html>\n"
    )


def _state(phase: Phase, missing: Sequence[str], streams: int, resources: int) -> str:
    word = "Not ready" if missing else "Ready"
    items = "".join(f"<li>{escape(what)}</li>" for what in missing)
    return (
        f'<div class="state"><b class="{"bad" if missing else "good"}">{word}</b> '
        f'<span class="dim">· {escape(phase)} · {_count(streams, "client stream")} · '
        f"{_count(resources, 'resource')}</span>{f'<ul>{items}</ul>' if items else ''}</div>"
    )


def _problems(problems: Sequence[ProblemView]) -> str:
    if not problems:
        return '<p class="good">None: everything that was found is served.</p>'
    return _table(
        ("Where", "What is wrong", "What to do"),
        ((f"<code>{escape(p.where)}</code>", escape(p.reason), escape(p.cure)) for p in problems),
    )


def _streams(streams: Sequence[dict[str, Any]]) -> str:
    if not streams:
        return '<p class="dim">No client is connected.</p>'
    # What needs a look comes first; the sort is stable.
    shown = sorted(streams, key=lambda stream: bool(stream["in_sync"]))[:_ROWS]
    table = _table(("Node", "Address", "Audience", "Age", "Types"), (_row(stream) for stream in shown))
    rest = len(streams) - len(shown)
    return table + (f'<p class="dim">and {rest} more: <a href="/api/v1/streams">all</a></p>' if rest else "")


def _row(stream: dict[str, Any]) -> tuple[str, ...]:
    return (
        f"<code>{escape(stream['node'])}</code>",
        f"<code>{escape(stream['address'])}</code>",
        f"<code>{escape(stream['audience'])}</code>",
        f"{stream['age_seconds']:.0f} s",
        "<br>".join(_type(part) for part in stream["types"]),
    )


def _type(part: dict[str, Any]) -> str:
    names = "*" if part["wildcard"] else str(len(part["names"]))
    told = [f"waits for {escape(name)}" for name in part["waiting"]]
    told += [f"{escape(name)}: {escape(reason)}" for name, reason in part["absent"].items()]
    if part["nack"]:
        told.append(f"refused: {escape(part['nack']['message'])}")
    sign = '<span class="good">✓</span>' if part["in_sync"] else '<span class="bad">✗</span>'
    return f"{sign} {escape(part['type'])} ({names}){''.join(f'<br><small>{what}</small>' for what in told)}"


def _endpoints() -> str:
    def link(path: str) -> str:
        return (
            f"<code>{path}</code>" if path.endswith("NAME") else f'<a href="{path}"><code>{path}</code></a>'
        )

    return _table(("Path", "What"), ((link(path), escape(what)) for path, what in ENDPOINTS.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
