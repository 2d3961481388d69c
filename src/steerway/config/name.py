"""The names of the settings: dotted in files, `STEERWAY_…` in the environment, `--…` as flags."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

import msgspec

from steerway.config.model import Settings

PREFIX = "STEERWAY_"
"""What every environment variable of steerway starts with."""


def _leaves(section: type[msgspec.Struct], prefix: str) -> Iterator[tuple[str, msgspec.structs.FieldInfo]]:
    for field in msgspec.structs.fields(section):
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            yield from _leaves(field.type, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, field


SETTINGS: Mapping[str, msgspec.structs.FieldInfo] = dict(_leaves(Settings, ""))
"""Every setting by its dotted name (`kubernetes.context`)."""

SECTIONS = frozenset(name.rpartition(".")[0] for name in SETTINGS if "." in name)
"""The dotted names that hold settings and are none themselves."""

_FLAGS = {
    "kubernetes.enabled": "--kubernetes",
    "kubernetes.namespaces": "--namespace",
    "upstream_services": "--upstream-service",
}


def environment_name(setting: str) -> str:
    """`kubernetes.context` → `STEERWAY_KUBERNETES_CONTEXT`."""
    return PREFIX + setting.replace(".", "_").upper()


def flag_name(setting: str) -> str:
    """`debounce.quiet_seconds` → `--debounce-quiet-seconds`; the flags of `kubernetes` go without its
    name."""
    if setting in _FLAGS:
        return _FLAGS[setting]
    return "--" + setting.removeprefix("kubernetes.").replace(".", "-").replace("_", "-")


def metas(annotation: Any) -> list[msgspec.Meta]:
    """What the model says about a setting's type: constraints, title, description."""
    return [meta for meta in get_args(annotation)[1:] if isinstance(meta, msgspec.Meta)]


def nearest(unknown: str, known: Iterable[str]) -> str:
    """`: did you mean X?`, or nothing when no known name is near.

    A key in the wrong section counts as near: `namespaces` means `kubernetes.namespaces`.
    """
    names = sorted(known)
    moved = [name for name in names if name.rpartition(".")[2] == unknown.rpartition(".")[2]]
    folded = {name.replace("_", "").lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(unknown.replace("_", "").lower(), folded, n=1, cutoff=0.6)
    guess = moved[0] if moved else folded[close[0]] if close else None
    return f": did you mean {guess}?" if guess else ""
