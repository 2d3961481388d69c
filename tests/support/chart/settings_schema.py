"""The JSON Schema of `settings` in the values of the chart, from the declarations of settings."""

import re
from pathlib import Path
from typing import Any

import msgspec

from steerway.config import SETTINGS

Schema = dict[str, Any]
_REFERENCE = "#/$defs/{name}"
_LEFT_OUT = ("default", "description", "title")


def settings_schema() -> tuple[Schema, dict[str, Schema]]:
    """The schema of the settings file, and the definitions that it refers to."""
    root = _mapping()
    definitions: dict[str, Schema] = {}
    for setting in SETTINGS.values():
        section = root
        if setting.section.prefix:
            section = root["properties"].setdefault(setting.section.prefix, _mapping())
        (schema,), defined = msgspec.json.schema_components(
            [setting.type], schema_hook=_schema_of, ref_template=_REFERENCE
        )
        section["properties"][setting.field] = {"description": setting.title, **_portable(schema)}
        definitions |= {name: _portable(definition) for name, definition in defined.items()}
    return root, definitions


def _mapping() -> Schema:
    return {"type": "object", "additionalProperties": False, "properties": {}}


def _schema_of(kind: type) -> Schema:
    assert kind is Path, kind
    return {"type": "string"}


def _portable(schema: Any) -> Any:
    """Without texts and defaults, which are in the reference of settings, and without what only Python's regular
    expressions have."""
    if isinstance(schema, list):
        return [_portable(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: _portable(value) for key, value in schema.items() if key not in _LEFT_OUT}
    if isinstance(pattern := result.get("pattern"), str):
        result["pattern"] = pattern.replace(r"\Z", "$").replace(r"\0", r"\x00")
        if re.search(r"\(\?[=!<]", pattern):  # lookaround, which RE2 does not have; steerway checks the value
            del result["pattern"]
    return result
