"""A serialised resource as JSON values, without its secrets.

Envoy's protobuf files mark fields that hold secrets (`udpa.annotations.sensitive`); their content is
replaced, also inside of nested `Any` messages. Of a Secret resource nothing is shown but its name.
"""

import base64
from collections.abc import MutableMapping
from typing import Any

from google.protobuf import any_pb2, descriptor_pool, json_format, message_factory, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from udpa.annotations import sensitive_pb2

from steerway.admin.type_name import PREFIX, SHORT

REDACTED = "[redacted]"


def render(type_url: str, body: bytes) -> dict[str, Any]:
    """The resource in protobuf's JSON mapping with its `@type`; names of fields as in the .proto files.

    A message of a type that is not installed comes as base64 under `value`.
    """
    message = _parse(type_url, body)
    if message is None:
        return {"@type": type_url, "value": base64.b64encode(body).decode()}
    if type_url == PREFIX + SHORT["sds"]:
        return {"@type": type_url, "name": getattr(message, "name", ""), "secret": REDACTED}
    _redact(message)
    return {"@type": type_url, **json_format.MessageToDict(message, preserving_proto_field_name=True)}


def _parse(type_url: str, body: bytes) -> Message | None:
    try:
        descriptor = descriptor_pool.Default().FindMessageTypeByName(type_url.rpartition("/")[2])
        message: Message = message_factory.GetMessageClass(descriptor)()
        message.ParseFromString(body)
    except (KeyError, DecodeError):
        return None
    return message


def _redact(message: Message) -> None:
    """Replace what is secret in a message and in all that it holds."""
    if isinstance(message, any_pb2.Any):
        _redact_any(message)
        return
    for field, value in message.ListFields():
        parts = _parts(field, value)
        if field.GetOptions().Extensions[sensitive_pb2.sensitive]:
            if parts:
                for part in parts:
                    _blank(part)
            else:
                _replace(message, field)
        else:
            for part in parts:
                _redact(part)


def _redact_any(holder: any_pb2.Any) -> None:
    """One whose type is not installed is emptied: it might hold anything."""
    inner = _parse(holder.type_url, holder.value)
    if inner is None:
        holder.Pack(wrappers_pb2.StringValue(value=f"{holder.type_url}, whose definition is not installed"))
    else:
        _redact(inner)
        holder.value = inner.SerializeToString(deterministic=True)


def _parts(field: FieldDescriptor, value: Any) -> list[Message]:
    """The messages that a field holds; none for a scalar."""
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return []
    if not field.is_repeated:
        return [value]
    values = value.values() if isinstance(value, MutableMapping) else value
    return [part for part in values if isinstance(part, Message)]


def _blank(secret: Message) -> None:
    """Empty a secret message; a DataSource says so, because it must hold something to be valid."""
    secret.Clear()
    if "inline_string" in secret.DESCRIPTOR.fields_by_name:
        secret.inline_string = REDACTED  # type: ignore[attr-defined]


def _replace(message: Message, field: FieldDescriptor) -> None:
    """Replace the scalars of a secret field."""
    blank = {FieldDescriptor.TYPE_STRING: REDACTED, FieldDescriptor.TYPE_BYTES: REDACTED.encode()}.get(
        field.type
    )
    if field.is_repeated or blank is None:
        message.ClearField(field.name)
    else:
        setattr(message, field.name, blank)
