"""Message classes by type URL, with what is nested in `Any` loaded on the way.

The generated modules are many (importing all takes seconds), so a module is imported when a resource first names a type
of its package: `envoy.extensions.filters.http.router.v3.Router` stands in a `*_pb2` module of the folder
`envoy/extensions/filters/http/router/v3`.
"""

import functools
import importlib
import pkgutil
import re
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pool, json_format, message_factory
from google.protobuf.message import Message

from steerway.config.name import nearest
from steerway.errors import TranslateError

_ROOTS = frozenset({"envoy", "xds", "udpa", "google", "opencensus", "validate"})
"""Packages that a type may come from: a file must not make steerway import anything else."""
_LAYERS = re.compile(r"^(Failed to parse \w+ field: )+(?=.* at [\w.\[\]\"]+)")
"""What protobuf writes in front when the place comes at the end anyway."""
_UNKNOWN_FIELD = re.compile(
    r'Message type "(?P<type>[^"]+)" has no field named "(?P<field>[^"]+)" at "(?P<path>[^"]+)"'
)


def from_json(type_url: str, body: dict[str, Any]) -> Message:
    """The message that `body` describes in protobuf's JSON mapping (its own `@type` left out).

    TranslateError for an unknown type, field or enum value, and for a value of the wrong type.
    """
    for nested in _types(body):
        load(nested)
    message = load(type_url)()
    try:
        json_format.ParseDict(body, message)
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise TranslateError(_explained(" ".join(str(error).split()))) from error
    return message


def _explained(text: str) -> str:
    """protobuf's message without the layers around it; for an unknown field the nearest one instead of all."""
    text = _LAYERS.sub("", text).rstrip(".")
    unknown = _UNKNOWN_FIELD.match(text)
    if unknown is None:
        return text
    field, descriptor = unknown["field"], descriptor_pool.Default().FindMessageTypeByName(unknown["type"])
    camel = field != field.lower()  # the JSON mapping takes both spellings: answer in that of the author
    known = [each.json_name if camel else each.name for each in descriptor.fields]
    return f"{descriptor.name} has no field {field} at {unknown['path']}{nearest(field, known)}"


def to_json(message: Message) -> dict[str, Any]:
    """The message in protobuf's JSON mapping, with the field names of the .proto files."""
    for nested in _nested(message):
        load(nested)
    shown: dict[str, Any] = json_format.MessageToDict(message, preserving_proto_field_name=True)
    return shown


def serialize(message: Message) -> bytes:
    """The bytes of a message; equal messages give equal bytes."""
    body: bytes = message.SerializeToString(deterministic=True)
    return body


@functools.cache
def load(type_url: str) -> type[Message]:
    """The class for a type URL; TranslateError when no installed module has it."""
    name = type_url.rpartition("/")[2]
    package = ".".join(part for part in name.split(".") if part and not part[0].isupper())
    if package.partition(".")[0] in _ROOTS:
        _import_package(package)
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(name)
    except (KeyError, TypeError):  # TypeError: not even text that can be encoded
        raise TranslateError(f"no message type {name!r} is known") from None
    return message_factory.GetMessageClass(descriptor)


def _import_package(package: str) -> None:
    try:
        path = importlib.import_module(package).__path__
    except (ImportError, AttributeError):
        return
    for module in pkgutil.iter_modules(path):
        if module.name.endswith("_pb2"):
            importlib.import_module(f"{package}.{module.name}")


def _types(value: Any) -> Iterator[str]:
    """Every `@type` in a JSON value."""
    if isinstance(value, dict):
        for key, nested in value.items():
            if key == "@type":
                if not isinstance(nested, str):
                    raise TranslateError(f"@type must be a string, not {nested!r}")
                yield nested
            else:
                yield from _types(nested)
    elif isinstance(value, list):
        for nested in value:
            yield from _types(nested)


def _nested(message: Message) -> Iterator[str]:
    """Type URLs of every `Any` in a message, loading each before looking into it."""
    if message.DESCRIPTOR.full_name == "google.protobuf.Any":
        url: str = message.type_url  # type: ignore[attr-defined]
        yield url
        inner = load(url)()
        inner.ParseFromString(message.value)  # type: ignore[attr-defined]
        yield from _nested(inner)
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for each in value.values():
                    yield from _nested(each)
        elif isinstance(value, Message):
            yield from _nested(value)
        else:
            for each in value:
                yield from _nested(each)
