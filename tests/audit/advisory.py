"""Advisories about pinned Python packages, from a copy of the PyPA advisory database: `vulns/PACKAGE/ID.yaml`.

They are in the OSV format. Which versions one is about is decided as its specification has it: "Evaluation" of the OSV
schema, for the ecosystem PyPI.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

_ECOSYSTEM = "PyPI"


class DatabaseError(Exception):
    """The directory is no copy of the database."""


@dataclass(frozen=True, slots=True)
class Finding:
    """An advisory about a pinned version. `fixed`: versions that it names as fixed, all lines of releases."""

    package: str
    version: str
    id: str
    aliases: tuple[str, ...]
    fixed: tuple[str, ...]

    def __str__(self) -> str:
        names = ", ".join((self.id, *self.aliases))
        hint = f"fixed in {', '.join(self.fixed)}" if self.fixed else "no version is fixed"
        return f"{self.package} {self.version}: {names}; {hint}"


def pins(constraints: str) -> dict[str, str]:
    """Versions by package name, of lines `NAME==VERSION`, with or without a marker and hashes."""
    lines = (re.split(r"[\s;\\#]", line, maxsplit=1)[0] for line in constraints.splitlines())
    return {name: version for name, _, version in (line.partition("==") for line in lines) if version}


def findings(database: Path, pinned: Mapping[str, str]) -> list[Finding]:
    """Advisories about the pinned versions, by package. Raises DatabaseError."""
    vulnerabilities = database / "vulns"
    if not vulnerabilities.is_dir():
        raise DatabaseError(f"{database} is no copy of the PyPA advisory database: it has no folder vulns")
    return [
        finding
        for name, version in sorted(pinned.items())
        for file in sorted((vulnerabilities / canonicalize_name(name)).glob("*.yaml"))
        for finding in _findings(yaml.load(file.read_bytes(), yaml.CSafeLoader), name, version)
    ]


def _findings(advisory: Mapping[str, Any], name: str, version: str) -> Iterable[Finding]:
    if "withdrawn" in advisory:
        return
    about = [item for item in advisory.get("affected", ()) if _is_about(item, name)]
    if any(_affects(item, version) for item in about):
        fixed = [event["fixed"] for item in about for event in _events(item) if "fixed" in event]
        yield Finding(
            name, version, advisory["id"], tuple(advisory.get("aliases", ())), tuple(dict.fromkeys(fixed))
        )


def _is_about(affected: Mapping[str, Any], name: str) -> bool:
    package = affected.get("package", {})
    same = canonicalize_name(package.get("name", "")) == canonicalize_name(name)
    return same and package.get("ecosystem") == _ECOSYSTEM


def _affects(affected: Mapping[str, Any], version: str) -> bool:
    """Whether the version is listed or lies in a range. Ranges of commits do not apply to releases."""
    pinned = Version(version)
    if any(_parsed(version) == pinned for version in affected.get("versions", ())):
        return True
    ranges = (item for item in affected.get("ranges", ()) if item["type"] == "ECOSYSTEM")
    return any(_lies_in(pinned, item["events"]) for item in ranges)


def _lies_in(version: Version, events: Iterable[Mapping[str, str]]) -> bool:
    inside = False
    for kind, limit in sorted(
        ((kind, Version(limit)) for event in events for kind, limit in event.items()), key=_at
    ):
        if kind == "introduced" and version >= limit:
            inside = True
        elif (kind == "fixed" and version >= limit) or (kind == "last_affected" and version > limit):
            inside = False
    return inside


def _at(event: tuple[str, Version]) -> Version:
    return event[1]


def _events(affected: Mapping[str, Any]) -> Iterable[Mapping[str, str]]:
    return (
        event
        for item in affected.get("ranges", ())
        if item["type"] == "ECOSYSTEM"
        for event in item["events"]
    )


def _parsed(version: str) -> Version | None:
    try:
        return Version(version)
    except InvalidVersion:
        return None
