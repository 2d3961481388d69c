"""One `Settings` out of a file, the environment and flags, each beating the one before."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec
import yaml

from steerway.config.contradiction import contradictions
from steerway.config.document import Given, read
from steerway.config.listed import explain
from steerway.config.model import Settings
from steerway.config.name import PREFIX, SECTIONS, SETTINGS, environment_name, flag_name, metas, nearest
from steerway.errors import SettingsError

CONFIG_VARIABLE = PREFIX + "CONFIG"
"""Names the settings file when no `--config` does."""

# Kubernetes gives every pod the addresses of the Services in its namespace as variables. A Service that is
# called steerway (or steerway-something) would otherwise be a mistyped setting in each of them.
_SERVICE_LINK = re.compile(
    r"STEERWAY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def load(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Read and check all settings.

    `file` is that of `--config` (None: `STEERWAY_CONFIG`, else no file). `flags` are keyed by dotted setting
    names (`kubernetes.context`); None and empty values count as not given. Raises SettingsError with one line
    per mistake.
    """
    errors: list[str] = []
    if file is None and (named := environ.get(CONFIG_VARIABLE)):
        file = Path(named)
    layers = [
        read(file, errors) if file is not None else {},
        _from_environment(environ, errors),
        {
            name: Given(value, flag_name(name), text=True)
            for name, value in flags.items()
            if value not in (None, (), "")
        },
    ]
    given: dict[str, Given] = {}
    values: dict[str, Any] = {}
    for layer in layers:  # each is checked whole, also what a later one overrides
        for name, what in layer.items():
            given[name] = what
            try:
                values[name] = _convert(name, what)
            except ValueError as error:
                errors.append(f"{what.where} {error}")
    errors += contradictions(values, given)
    if errors:
        raise SettingsError("\n".join(errors))
    return _build(values)


def _from_environment(environ: Mapping[str, str], errors: list[str]) -> dict[str, Given]:
    names = {environment_name(setting): setting for setting in SETTINGS}
    given = {}
    for variable, value in sorted(environ.items()):
        if variable in names:
            if value:
                given[names[variable]] = Given(value, variable, text=True)
        elif (
            variable.startswith(PREFIX)
            and variable != CONFIG_VARIABLE
            and not _SERVICE_LINK.fullmatch(variable)
        ):
            errors.append(
                f"unknown environment variable {variable}{nearest(variable, [*names, CONFIG_VARIABLE])}"
            )
    return given


def _convert(name: str, given: Given) -> Any:
    """The value as the setting's type; ValueError with "must be …" when it is none."""
    wanted = SETTINGS[name].type
    value = given.value
    base = get_args(wanted)[0] if get_args(wanted) else wanted
    structured = _is_list_of_structs(base)
    if structured and given.text:
        value = _yaml(value)
    elif get_origin(base) is tuple and isinstance(value, str):
        value = [part for part in map(str.strip, value.split(",")) if part] if given.text else [value]
    try:
        converted = msgspec.convert(value, wanted, strict=not given.text, dec_hook=_path)
    except msgspec.ValidationError as error:
        if structured and "$[" in str(error):
            item = name.rpartition(".")[2].removesuffix("s")
            raise ValueError(f"must be {_description(wanted)}: {explain(error, value, item)}") from None
        raise ValueError(f"must be {_description(wanted)}, not {given.value!r}") from None
    if isinstance(converted, float) and not math.isfinite(converted):
        raise ValueError(f"must be {_description(wanted)}, not {given.value!r}")
    return converted


def _is_list_of_structs(base: Any) -> bool:
    if get_origin(base) is not tuple:
        return False
    item = get_args(base)[0]
    return isinstance(item, type) and issubclass(item, msgspec.Struct)


def _yaml(text: str | Sequence[str]) -> Any:
    """One text holds the whole list, as in the environment; several hold an item each, as repeated flags."""
    try:
        return yaml.safe_load(text) if isinstance(text, str) else [yaml.safe_load(part) for part in text]
    except yaml.YAMLError:
        return text  # which the type refuses


def _path(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    raise ValueError(f"{value!r} is no path")


def _description(wanted: Any) -> str:
    return next(meta.description for meta in reversed(metas(wanted)) if meta.description)


def _build(values: Mapping[str, Any]) -> Settings:
    parts: dict[str, dict[str, Any]] = {section: {} for section in ("", *SECTIONS)}
    for name, value in values.items():
        section, _, field = name.rpartition(".")
        parts[section][field] = value
    sections = {
        field.name: field.type(**parts[field.name])
        for field in msgspec.structs.fields(Settings)
        if field.name in SECTIONS
    }
    return Settings(**sections, **parts[""])
