"""The index page: problems, connected clients, and links to the API. One file, no scripts, no assets."""

import itertools
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any
from urllib.parse import urlencode

import steerway
from steerway.admin.view import Phase, ProblemView
from steerway.inventory.row.client import STATES
from steerway.translate.client.audience import decode

ENDPOINTS = {
    "/healthz": "alive",
    "/readyz": "ready for clients, or the reasons why not",
    "/metrics": "Prometheus metrics",
    "/api/v1/streams": "all clients: state, names, absent names, NACKs; ?node= (with *) and ?type=",
    "/api/v1/resources": "published resources and absent names; ?type= and ?audience=",
    "/api/v1/resources/cds": "one type: lds, rds, cds, eds, sds, or its full name",
    "/api/v1/resources/cds/NAME": "one resource with its body, for each audience",
    "/api/v1/explain?target=NAME": "a target's resources for a client, their sources and clients; "
    "&namespace= &zone= &client=",
    "/api/v1/loads": "load reports of clients, by cluster and locality",
    "/api/v1/changes": "what was published when, and which clients have it; &since= &kind= &service=",
    "/api/v1/events": "changed rows as they change (server-sent events); ?topics=",
    "/api/v1/problems": "objects and documents that are skipped, each with a hint",
}
_UNITS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))
_ROWS = 200
_NOTES = 5
"""Rows of streams on the page, and notes of one kind about a client; the API has more."""
_SIGNS = {"in_sync": ("good", "✓"), "absent": ("warn", "!")}
"""Style and sign of a client's state; other states are bad."""
_ABSENT = '<span class="warn">absent</span>'
_EXPLAINED = frozenset({"lds", "rds", "cds", "eds"})
"""Types whose names are targets, which can be explained."""

STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d8dee4, #30363d); --dim: light-dark(#59636e, #9198a1);
  --good: light-dark(#1a7f37, #3fb950); --bad: light-dark(#cf222e, #f85149);
  --warn: light-dark(#9a6700, #d29922);
  --soft: light-dark(#f6f8fa, #161b22); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 75rem; margin: 2rem auto; padding: 0 1rem;
  color: light-dark(#1f2328, #e6edf3); background: light-dark(#fff, #0d1117); }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
small, .dim { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); }
.warn { color: var(--warn); }
a { color: inherit; } code { font: 13px ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
th { text-align: left; color: var(--dim); font-weight: 500; }
th, td { padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; } td:first-child { min-width: 9rem; } .short { white-space: nowrap; }
.node { display: inline-block; min-width: 15rem; }
.type { white-space: nowrap; margin-right: 1rem; } .note { margin: .1rem 0; padding-left: 1.25rem; }
.state { background: var(--soft); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem 1rem;
  margin: 1rem 0; } .state ul { margin: .25rem 0 0; padding-left: 1.25rem; }
@media (max-width: 45rem) {
  thead { display: none; } td { display: block; border: 0; padding: .1rem 0; }
  tr { display: block; border-bottom: 1px solid var(--line); padding: .35rem 0; } }
"""
"""The text of the page's `<style>`; the policy of the response permits this one by its hash."""


def render(
    streams: Sequence[dict[str, Any]],
    resources: int,
    phase: Phase,
    missing: Sequence[str],
    problems: Sequence[ProblemView],
) -> str:
    """The whole page. `streams` as `stream.describe` makes them, `missing` as in `/readyz`."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>steerway</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><h1>steerway <small>{escape(steerway.__version__)}</small></h1>"
        f"{_state(phase, missing, streams, resources)}"
        f"<h2>Problems</h2>{_problems(problems)}<h2>Clients</h2>{_streams(streams)}"
        f"<h2>API</h2>{_endpoints()}</body></html>\n"
    )


def _state(phase: Phase, missing: Sequence[str], streams: Sequence[dict[str, Any]], resources: int) -> str:
    word = "Not ready" if missing else "Ready"
    items = "".join(f"<li>{escape(what)}</li>" for what in missing)
    return (
        f'<div class="state"><b class="{"bad" if missing else "good"}">{word}</b> '
        f'<span class="dim">· {escape(phase)} · {_count(len(streams), "client stream")} · '
        f"{_count(resources, 'resource')}</span>{_missed(streams)}{f'<ul>{items}</ul>' if items else ''}</div>"
    )


def _missed(streams: Sequence[dict[str, Any]]) -> str:
    """How many clients subscribe to names that do not exist."""
    count = sum(1 for stream in streams if any(part["absent_count"] for part in stream["types"]))
    if not count:
        return ""
    return f' <span class="warn">· {_count(count, "client stream")} with absent names</span>'


def _problems(problems: Sequence[ProblemView]) -> str:
    if not problems:
        return '<p class="good">None: all objects are served.</p>'
    return _table(
        ("Object", "Problem", "Hint"),
        ((f"<code>{escape(p.where)}</code>", escape(p.reason), escape(p.hint)) for p in problems),
    )


def _streams(streams: Sequence[dict[str, Any]]) -> str:
    if not streams:
        return '<p class="dim">No client is connected.</p>'
    shown = sorted(streams, key=_fine)[:_ROWS]  # the worst state first; the sort is stable
    table = _table(
        ("Node", "Address", "Audience", "Age", "Types and names"), (_row(stream) for stream in shown)
    )
    rest = len(streams) - len(shown)
    return table + (f'<p class="dim">and {rest} more: <a href="/api/v1/streams">all</a></p>' if rest else "")


def _fine(stream: dict[str, Any]) -> int:
    return STATES.index(stream["state"])


def _row(stream: dict[str, Any]) -> tuple[str, ...]:
    node = escape(stream["node"])
    types = "".join(_type(part) for part in stream["types"])
    return (
        (f'<code class="node">{node}</code>' if node else '<span class="dim">no node id</span>')
        + f"<div><small>{escape(stream['client'])}</small></div>",
        f'<code class="short">{escape(stream["address"])}</code>',
        f'<code class="short">{escape(stream["audience"])}</code>',
        f'<span class="short">{_duration(stream["age_seconds"])}</span>',
        types + _notes(stream) or '<span class="dim">none yet</span>',
    )


def _notes(stream: dict[str, Any]) -> str:
    """Notes about the types of a client, and its limitations."""
    warnings = "".join(_type_notes(part, decode(stream["audience"]).namespace) for part in stream["types"])
    limitations = [escape(limitation) for limitation in stream["limitations"]]
    return warnings + "".join(map(_line, _some(limitations, len(limitations))))


def _some(notes: Sequence[str], count: int, more: str = "and {:,} more") -> list[str]:
    """The first notes, and the text `more` with the number of the others out of `count`."""
    shown = list(notes[:_NOTES])
    return [*shown, more.format(count - len(shown))] if count > len(shown) else shown


def _type(part: dict[str, Any]) -> str:
    names = "all" if part["wildcard"] else str(len(part["names"]))
    look, sign = _SIGNS.get(part["state"], ("bad", "✗"))
    state = f'<span class="{look}" title="{part["state"]}">{sign}</span>'
    return f'<span class="type">{state} {escape(part["type"])} <span class="dim">{names}</span></span> '


def _type_notes(part: dict[str, Any], namespace: str) -> str:
    """Notes about one type of a client: waiting, absent and rejected names."""
    waiting = [f"waits for {escape(name)}" for name in part["waiting"][:_NOTES]]
    absent = [
        _absent(part["type"], name, reason, namespace)
        for name, reason in itertools.islice(part["absent"].items(), _NOTES)
    ]
    lines = _some(waiting, len(part["waiting"]), "waits for {:,} more")
    lines += _some(absent, part["absent_count"], _ABSENT + ": {:,} more")
    if part["nack"]:
        lines.append(f'<span class="bad">refused</span>: {escape(part["nack"]["message"])}')
    return "".join(_line(f"{escape(part['type'])} {line}") for line in lines)


def _absent(kind: str, name: str, reason: str, namespace: str) -> str:
    """A name that does not exist, with a link to its explanation: similar names, or valid ports."""
    text = f"{_ABSENT}: {escape(name)}: {escape(reason)}"
    if kind not in _EXPLAINED:
        return text
    query = urlencode({"target": name, "namespace": namespace})
    return f'{text}; <a href="/api/v1/explain?{escape(query)}">explain</a>'


def _line(text: str) -> str:
    return f'<div class="note"><small>{text}</small></div>'


def _duration(seconds: float) -> str:
    """The two largest units: `3 d 4 h`, `12 m 5 s`."""
    whole = int(seconds)
    for (large, unit), (small, part) in itertools.pairwise(_UNITS):
        if whole >= large:
            return f"{whole // large} {unit} {whole % large // small} {part}"
    return f"{whole} s"


def _endpoints() -> str:
    def link(path: str) -> str:
        return (
            f"<code>{path}</code>" if path.endswith("NAME") else f'<a href="{path}"><code>{path}</code></a>'
        )

    return _table(("Path", "Content"), ((link(path), escape(what)) for path, what in ENDPOINTS.items()))


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already."""
    titles = "".join(f"<th>{title}</th>" for title in head)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
