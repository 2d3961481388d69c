"""Fields that a kind does not have: an API server would drop or refuse them, and a file must not do less.

Only for kinds whose whole schema is known here; of other kinds only the fields that are read are validated.
"""

from collections.abc import Iterator
from typing import Any

from steerway.config.name import nearest
from steerway.sources.policy.validation_error import Path, ValidationError


def unknown_fields(value: Any, schema: dict[str, Any], path: Path = ()) -> Iterator[ValidationError]:
    """A validation error for each key that the OpenAPI `schema` does not name, in the order of the manifest. Fields
    for which the schema lists no properties (`metadata`) and values of the wrong type are no errors here."""
    if isinstance(value, dict) and "properties" in schema:
        known: dict[str, Any] = schema["properties"]
        for key, inner in value.items():
            if key in known:
                yield from unknown_fields(inner, known[key], (*path, key))
            else:
                reason = f"unknown field {key!r}{nearest(str(key), known)}"
                yield ValidationError((*path, key), reason, f"known here: {', '.join(known)}")
    elif isinstance(value, list) and "items" in schema:
        for index, inner in enumerate(value):
            yield from unknown_fields(inner, schema["items"], (*path, index))
