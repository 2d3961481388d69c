"""One setting: its names, its type and its default, from the declaration in `section/`.

A declaration reads `name: Annotated[TYPE, Meta(…)] = DEFAULT`, followed by a docstring for `docs/settings.md`.
`Meta.title` is the help of the flag and `Meta.description` completes "must be …" in errors. In `Meta.extra`, `metavar`
is the placeholder of the flag, and `unset` describes what applies by default if that is None or empty.
"""

import dataclasses
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints

import msgspec

from steerway.config.settings import SECTIONS, Section

PREFIX = "STEERWAY_"
"""Prefix of all environment variables."""

_FLAGS = {
    "kubernetes.enabled": "--kubernetes",
    "kubernetes.namespaces": "--namespace",
    "upstream_services": "--upstream-service",
}


class Setting(NamedTuple):
    """One setting. `default` is None if it depends on the host."""

    section: Section
    field: str
    type: Any
    default: Any

    @property
    def name(self) -> str:
        """The key in the file, dotted: `kubernetes.context`."""
        return f"{self.section.prefix}.{self.field}" if self.section.prefix else self.field

    @property
    def variable(self) -> str:
        """`kubernetes.context` → `STEERWAY_KUBERNETES_CONTEXT`."""
        return PREFIX + self.name.replace(".", "_").upper()

    @property
    def flag(self) -> str:
        """`debounce.quiet_seconds` → `--debounce-quiet-seconds`. Flags of `kubernetes` omit the section."""
        if self.name in _FLAGS:
            return _FLAGS[self.name]
        return "--" + self.name.removeprefix("kubernetes.").replace(".", "-").replace("_", "-")

    @property
    def base(self) -> Any:
        """The type without its constraints."""
        return get_args(self.type)[0]

    @property
    def title(self) -> str:
        """One line for `steerway serve --help`."""
        return next(meta.title for meta in reversed(self._metas) if meta.title)

    @property
    def description(self) -> str:
        """What a value must be."""
        if get_origin(self.base) is Literal:
            *others, last = get_args(self.base)
            return f"{', '.join(others)} or {last}"
        return next(meta.description for meta in reversed(self._metas) if meta.description)

    @property
    def metavar(self) -> str | None:
        """Placeholder of the value of the flag; None for a switch."""
        if get_origin(self.base) is Literal:
            return "|".join(get_args(self.base))
        value: str | None = self._extra.get("metavar")
        return value

    @property
    def repeatable(self) -> bool:
        """Whether the value is a list."""
        return get_origin(self.base) is tuple

    @property
    def is_list_of_structs(self) -> bool:
        """Whether the value is a list of mappings."""
        item = get_args(self.base)[0] if self.repeatable else None
        return isinstance(item, type) and issubclass(item, msgspec.Struct)

    @property
    def default_value(self) -> str | None:
        """The default as a text that can be given as a value; None: it is described by `unset`."""
        match self.default:
            case None | () | "":
                return None
            case bool():
                return str(self.default).lower()
            case float():
                return f"{self.default:g}"
            case tuple():
                return ",".join(self.default)
            case _:
                return str(self.default)

    @property
    def unset(self) -> str:
        """What applies without a value."""
        meaning: str = self._extra["unset"]
        return meaning

    @property
    def _metas(self) -> list[msgspec.Meta]:
        return [meta for meta in get_args(self.type)[1:] if isinstance(meta, msgspec.Meta)]

    @property
    def _extra(self) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        for meta in self._metas:
            extra |= meta.extra or {}
        return extra


def declared(section: Section) -> Iterator[Setting]:
    """The settings of a section in the order of their declaration."""
    types = get_type_hints(section.type, include_extras=True)
    for field in dataclasses.fields(section.type):
        default = None if field.default is dataclasses.MISSING else field.default
        yield Setting(section, field.name, types[field.name], default)


SETTINGS = {setting.name: setting for section in SECTIONS for setting in declared(section)}
"""All settings by name, in the order of help and documentation."""
PREFIXES = frozenset(section.prefix for section in SECTIONS if section.prefix)
"""Keys of the file that hold settings."""
