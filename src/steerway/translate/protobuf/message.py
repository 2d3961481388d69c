"""Messages from protobuf's JSON mapping and back, with what is nested in `Any` loaded on the way.

A type that no installed module has is written as its bytes; see `opaque`.
"""

import re
from typing import Any

from google.protobuf import descriptor_pool, json_format
from google.protobuf.message import Message

from steerway.config.name import nearest
from steerway.errors import TranslateError
from steerway.translate.protobuf import opaque
from steerway.translate.protobuf.message_type import load as load

_LAYERS = re.compile(r"^(Failed to parse \w+ field: )+(?=.* at [\w.\[\]\"]+)")
"""What protobuf writes in front when the place comes at the end anyway."""
_UNKNOWN_FIELD = re.compile(
    r'Message type "(?P<type>[^"]+)" has no field named "(?P<field>[^"]+)" at "(?P<path>[^"]+)"'
)


def from_json(type_url: str, body: dict[str, Any]) -> Message:
    """The message that `body` describes in protobuf's JSON mapping (its own `@type` left out).

    TranslateError for an unknown type without bytes, an unknown field or enum value, and a value of the wrong type.
    """
    prepared, concealed = opaque.conceal_json(body)
    message = load(type_url)()
    try:
        json_format.ParseDict(prepared, message)
    except (json_format.ParseError, TypeError, ValueError) as error:
        raise TranslateError(_explained(" ".join(str(error).split()))) from error
    if opaque.reveal(message) != concealed:
        raise TranslateError("an unknown type stands where no Any is expected, as inside of a Struct")
    return message


def _explained(text: str) -> str:
    """protobuf's message without the layers around it; for an unknown field the nearest one instead of all."""
    text = _LAYERS.sub("", text).rstrip(".")
    unknown = _UNKNOWN_FIELD.match(text)
    if unknown is None:
        return text
    field, descriptor = unknown["field"], descriptor_pool.Default().FindMessageTypeByName(unknown["type"])
    camel = field != field.lower()  # the JSON mapping takes both spellings: answer in that of the author
    known = [field.json_name if camel else field.name for field in descriptor.fields]
    return f"{descriptor.name} has no field {field} at {unknown['path']}{nearest(field, known)}"


def to_json(message: Message) -> dict[str, Any]:
    """The message in protobuf's JSON mapping, with the field names of the .proto files."""
    shown = json_format.MessageToDict(opaque.concealed(message), preserving_proto_field_name=True)
    return dict(opaque.reveal_json(shown))


def serialize(message: Message) -> bytes:
    """The bytes of a message; equal messages give equal bytes."""
    body: bytes = message.SerializeToString(deterministic=True)
    return body
