"""Merge of the settings file, the environment and flags into one `Settings`."""

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from steerway.config.contradiction import contradictions
from steerway.config.document import Given, read
from steerway.config.list_error import explain
from steerway.config.name import nearest
from steerway.config.setting import PREFIX, SETTINGS, Setting
from steerway.config.settings import SECTIONS, Settings
from steerway.errors import SettingsError

CONFIG_VARIABLE = PREFIX + "CONFIG"
"""Path of the settings file, unless `--config` gives it."""

# Kubernetes sets the addresses of the Services in the namespace of a pod as environment variables. Those of a Service
# that is called steerway (or steerway-something) would otherwise be reported as unknown settings.
_SERVICE_LINK = re.compile(
    r"STEERWAY_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)"
)


def load(file: Path | None, environ: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Read and check all settings.

    `file` is that of `--config` (None: `STEERWAY_CONFIG`, else no file). `flags` are keyed by the names of settings
    (`kubernetes.context`); None and empty values count as not given. Raises SettingsError with one line per error.
    """
    errors: list[str] = []
    if file is None and (path := environ.get(CONFIG_VARIABLE)):
        file = Path(path)
    layers = [
        read(file, errors) if file is not None else {},
        _from_environment(environ, errors),
        {
            name: Given(value, SETTINGS[name].flag, text=True)
            for name, value in flags.items()
            if value not in (None, (), "")
        },
    ]
    given: dict[str, Given] = {}
    values: dict[str, Any] = {}
    for layer in layers:  # check all values, also those that a later layer overrides
        for name, item in layer.items():
            given[name] = item
            try:
                values[name] = _convert(SETTINGS[name], item)
            except ValueError as error:
                errors.append(f"{item.where} {error}")
    errors += contradictions(values, given)
    if errors:
        raise SettingsError("\n".join(errors))
    return _build(values)


def _from_environment(environ: Mapping[str, str], errors: list[str]) -> dict[str, Given]:
    names = {setting.variable: name for name, setting in SETTINGS.items()}
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


def _convert(setting: Setting, given: Given) -> Any:
    """The value in the type of the setting. Raises ValueError ("must be …") if it has another type or range."""
    value = given.value
    structured = setting.is_list_of_structs
    if structured and given.text:
        value = _yaml(value)
    elif setting.repeatable and isinstance(value, str):
        value = [part for part in map(str.strip, value.split(",")) if part] if given.text else [value]
    try:
        converted = msgspec.convert(value, setting.type, strict=not given.text, dec_hook=_path)
    except msgspec.ValidationError as error:
        if structured and "$[" in str(error):
            item = setting.field.removesuffix("s")
            raise ValueError(f"must be {setting.description}: {explain(error, value, item)}") from None
        raise ValueError(f"must be {setting.description}, not {_shown(given.value)}") from None
    if isinstance(converted, float) and not math.isfinite(converted):
        raise ValueError(f"must be {setting.description}, not {_shown(given.value)}")
    return converted


def _shown(value: object) -> str:
    """A value in an error; those of a repeated flag one by one."""
    return ", ".join(map(repr, value)) if isinstance(value, tuple) else repr(value)


def _yaml(text: str | Sequence[str]) -> Any:
    """The list that `text` holds as a whole (in the environment) or by item (in repeated flags)."""
    try:
        return yaml.safe_load(text) if isinstance(text, str) else [yaml.safe_load(part) for part in text]
    except yaml.YAMLError:
        return text  # rejected by the type of the setting


def _path(wanted: type, value: Any) -> Any:
    if wanted is Path and isinstance(value, str | Path) and str(value):
        return Path(value).expanduser()
    raise ValueError(f"{value!r} is no path")


def _build(values: Mapping[str, Any]) -> Settings:
    flat: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {}
    for name, value in values.items():
        prefix, _, field = name.rpartition(".")
        (sections.setdefault(prefix, {}) if prefix else flat)[field] = value
    types = {section.prefix: section.type for section in SECTIONS}
    return Settings(**flat, **{prefix: types[prefix](**fields) for prefix, fields in sections.items()})
