"""The names in kubeconfig files, to name the context, cluster or user that is missing, and those that exist.

The library reads the files and knows only that something is missing. Of several files the first that has an entry wins,
as in kubectl ("Merging kubeconfig files"). Values are not validated here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml


@dataclass(slots=True)
class Names:
    """What kubeconfig files define: contexts with the cluster and user that each names, clusters, users."""

    current: str = ""
    contexts: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    clusters: set[str] = field(default_factory=set)
    users: set[str] = field(default_factory=set)


def missing(paths: Iterable[Path], context: str | None) -> str:
    """What `context` (None: the current one) needs and the files do not have, with what they have; "" when nothing is
    missing or a file cannot be read."""
    try:
        names = _read(paths)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return ""
    chosen, contexts = context or names.current, _some("contexts", names.contexts)
    if not chosen:
        return f"no current-context is set: choose one with --context ({contexts})"
    if chosen not in names.contexts:
        origin = "" if context else ", which current-context names"
        return f"there is no context {chosen}{origin}: choose another with --context ({contexts})"
    for kind, known in (("cluster", names.clusters), ("user", names.users)):
        wanted = str(names.contexts[chosen].get(kind) or "")
        if not wanted and kind == "cluster":
            return f"context {chosen} names no cluster: add one ({_some('clusters', known)})"
        if wanted and wanted not in known:
            defined = _some(f"{kind}s", known)
            return f"context {chosen} names {kind} {wanted}, which is not defined: correct it ({defined})"
    return ""


def _read(paths: Iterable[Path]) -> Names:
    names = Names()
    for path in paths:
        content = yaml.safe_load(path.read_text())
        if not isinstance(content, dict):
            continue
        names.current = names.current or str(content.get("current-context") or "")
        for entry in _entries(content, "contexts"):
            inner = entry.get("context")
            names.contexts.setdefault(str(entry["name"]), inner if isinstance(inner, dict) else {})
        names.clusters |= {str(entry["name"]) for entry in _entries(content, "clusters")}
        names.users |= {str(entry["name"]) for entry in _entries(content, "users")}
    return names


def _entries(content: Mapping[str, Any], section: str) -> list[Mapping[str, Any]]:
    section_entries = content.get(section)
    entries = section_entries if isinstance(section_entries, list) else []
    return [entry for entry in entries if isinstance(entry, dict) and "name" in entry]


def _some(kind: str, names: Iterable[str]) -> str:
    return f"{kind}: {', '.join(sorted(names)) or 'none'}"
