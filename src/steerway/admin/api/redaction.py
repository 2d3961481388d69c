"""Removal of secrets from a resource before it is shown.

Envoy's protobuf files mark the fields that hold secrets (`udpa.annotations.sensitive`): private keys,
passwords, tokens, session ticket keys. Their content is replaced wherever they are, also inside of nested `Any`
messages; the rest, such as a certificate, stays. Files that a resource only names are not read.
"""

from collections.abc import MutableMapping
from typing import Any

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError, Message
from udpa.annotations import sensitive_pb2

from steerway.errors import TranslateError
from steerway.translate.protobuf import message as messages

REDACTED = "[redacted]"


def redact(type_url: str, body: bytes) -> bytes:
    """The resource without its secrets, serialised again; empty when it cannot be searched for them."""
    resource = _parse(type_url, body)
    if resource is None:
        return b""
    _redact(resource)
    return messages.serialize(resource)


def _parse(type_url: str, body: bytes) -> Message | None:
    try:
        parsed = messages.load(type_url)()
        parsed.ParseFromString(body)
    except (TranslateError, DecodeError):
        return None
    return parsed


def _redact(message: Message) -> None:
    """Replace the secrets in a message and in its parts."""
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
        holder.value = messages.serialize(inner)


def _parts(field: FieldDescriptor, value: Any) -> list[Message]:
    """The messages that a field holds; none for a scalar."""
    if field.type != FieldDescriptor.TYPE_MESSAGE:
        return []
    if not field.is_repeated:
        return [value]
    values = value.values() if isinstance(value, MutableMapping) else value
    return [part for part in values if isinstance(part, Message)]


def _blank(secret: Message) -> None:
    """Clear a secret message; a DataSource gets a placeholder, because an empty one is invalid."""
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
