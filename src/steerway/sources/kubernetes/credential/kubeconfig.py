"""Kubeconfig files: merged as kubectl merges them, and the cluster and user of a context.

Of several files the first that has an entry or a value wins, and paths in a file are relative to its folder (kubectl:
"Merging kubeconfig files"). Nothing that an entry names is read or run here: `configuration.py` does that.
"""

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from steerway.errors import SourceError


@dataclass(frozen=True, slots=True)
class Entry:
    """A cluster, user or context: its fields, and the folder that its paths are relative to.

    Methods raise SourceError for a field of another type, with the name of the entry.
    """

    kind: str
    name: str
    fields: Mapping[str, Any]
    folder: Path

    def text(self, key: str) -> str:
        """A string; "" when it is not set."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, str):
            raise self.invalid(f"{key} is not a string")
        return value or ""

    def flag(self, key: str) -> bool:
        value = self.fields.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.invalid(f"{key} is not true or false")
        return bool(value)

    def section(self, key: str) -> Mapping[str, Any] | None:
        """An object; None when it is not set."""
        value = self.fields.get(key)
        if value is not None and not isinstance(value, dict):
            raise self.invalid(f"{key} is not an object")
        return value

    def content(self, key: str) -> bytes:
        """The bytes of `KEY-data` (base64), else those of the file that KEY names; b"" without both. Raises OSError."""
        if encoded := self.text(f"{key}-data"):
            try:
                return base64.b64decode(encoded, validate=True)
            except binascii.Error:
                raise self.invalid(f"{key}-data is not base64") from None
        path = self.text(key)
        return (self.folder / path).read_bytes() if path else b""

    def invalid(self, reason: str) -> SourceError:
        return SourceError(f"{self.kind} {self.name}: {reason}")


@dataclass(slots=True)
class Kubeconfig:
    """The entries of merged files, by name."""

    current: str = ""
    contexts: dict[str, Entry] = field(default_factory=dict)
    clusters: dict[str, Entry] = field(default_factory=dict)
    users: dict[str, Entry] = field(default_factory=dict)

    def choose(self, context: str | None) -> tuple[Entry, Entry | None]:
        """The cluster and user of `context` (None: the current one); no user: requests without credentials.

        Raises SourceError with the name that is missing and those that exist.
        """
        chosen, contexts = context or self.current, _listed("contexts", self.contexts)
        if not chosen:
            raise SourceError(f"no current-context is set: choose one with --context ({contexts})")
        if chosen not in self.contexts:
            origin = "" if context else ", which current-context names"
            raise SourceError(
                f"there is no context {chosen}{origin}: choose another with --context ({contexts})"
            )
        entry = self.contexts[chosen]
        cluster, user = entry.text("cluster"), entry.text("user")
        if not cluster:
            known = _listed("clusters", self.clusters)
            raise SourceError(f"context {chosen} names no cluster: add one ({known})")
        for kind, name, entries in (("cluster", cluster, self.clusters), ("user", user, self.users)):
            if name and name not in entries:
                defined = _listed(f"{kind}s", entries)
                raise SourceError(
                    f"context {chosen} names {kind} {name}, which is not defined: correct it ({defined})"
                )
        return self.clusters[cluster], self.users.get(user)


def read(paths: Iterable[Path]) -> Kubeconfig:
    """Merge files; entries without a name are skipped. Raises OSError, and SourceError for a file of another form."""
    merged = Kubeconfig()
    for path in paths:
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (UnicodeDecodeError, yaml.YAMLError) as error:
            reason = " ".join(str(error).split())
            raise SourceError(f"{path}: not YAML: {reason} (check it with: kubectl config view)") from None
        if content is None:
            continue
        if not isinstance(content, dict):
            raise SourceError(f"{path}: not an object with clusters, users and contexts")
        merged.current = merged.current or str(content.get("current-context") or "")
        for kind, entries in (
            ("context", merged.contexts),
            ("cluster", merged.clusters),
            ("user", merged.users),
        ):
            for entry in _entries(content, kind, path.absolute().parent):
                entries.setdefault(entry.name, entry)
    return merged


def _entries(content: Mapping[str, Any], kind: str, folder: Path) -> Iterable[Entry]:
    listed = content.get(f"{kind}s")
    for item in listed if isinstance(listed, list) else ():
        if isinstance(item, dict) and item.get("name") is not None:
            fields = item.get(kind)
            yield Entry(kind, str(item["name"]), fields if isinstance(fields, dict) else {}, folder)


def _listed(kind: str, names: Iterable[str]) -> str:
    return f"{kind}: {', '.join(sorted(names)) or 'none'}"
