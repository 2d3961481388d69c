"""Types that no installed module has: bytes of an `Any`, which protobuf's JSON mapping cannot hold.

They are written as `{"@type": URL, "value": BASE64}`. On their way through protobuf's JSON parser and printer a
`google.protobuf.BytesValue` stands in for each, which begins with a token of this process: no document can imitate it.
"""

import base64
import binascii
import re
import secrets
from collections.abc import Callable, MutableMapping
from typing import Any

from google.protobuf import any_pb2, wrappers_pb2
from google.protobuf.message import DecodeError, Message

from steerway.errors import TranslateError
from steerway.translate.protobuf.message_type import load

_TOKEN = secrets.token_bytes(16)
_STAND_IN = "type.googleapis.com/google.protobuf.BytesValue"
_TYPE_URL = re.compile(r"[A-Za-z0-9.-]+/[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)


def conceal_json(value: Any) -> tuple[Any, int]:
    """A JSON value in which stand-ins take the place of unknown types, and how many there are.

    TranslateError for an unknown type whose bytes are not given.
    """
    if isinstance(value, list):
        items = [conceal_json(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if not isinstance(value, dict):
        return value, 0
    if (error := _unknown(value)) is not None:
        return {"@type": _STAND_IN, "value": _encoded(_payload(value, error))}, 1
    fields = {key: conceal_json(inner) for key, inner in value.items()}
    return {key: inner for key, (inner, _) in fields.items()}, sum(count for _, count in fields.values())


def reveal(message: Message) -> int:
    """Put the unknown types back in the place of their stand-ins; how many there were."""
    return _replace(message, _revealed)


def concealed(message: Message) -> Message:
    """The message, or a copy in which stand-ins take the place of unknown types. Loads the types of all others."""
    copy = type(message)()
    copy.CopyFrom(message)
    return copy if _replace(copy, _stand_in) else message


def reveal_json(value: Any) -> Any:
    """A JSON value in which unknown types are as they are written."""
    if isinstance(value, list):
        return [reveal_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    if value.get("@type") == _STAND_IN and (parts := _parts(base64.b64decode(value.get("value", "")))):
        return {"@type": parts[0], "value": _encoded(parts[1])}
    return {key: reveal_json(inner) for key, inner in value.items()}


def _unknown(value: dict[str, Any]) -> TranslateError | None:
    """Why the type of a JSON object has no class; None when it has one, and for an object without a type."""
    if "@type" not in value:
        return None
    if not isinstance(value["@type"], str):
        raise TranslateError(f"@type must be a string, not {value['@type']!r}")
    try:
        load(value["@type"])
    except TranslateError as error:
        return error
    return None


def _payload(value: dict[str, Any], error: TranslateError) -> bytes:
    """What stands in for an unknown type. TranslateError when its bytes are not given."""
    url, text = value["@type"], value.get("value")
    if not _TYPE_URL.fullmatch(url):
        raise TranslateError(f"{error}; a type URL is DOMAIN/PACKAGE.TYPE") from error
    if set(value) != {"@type", "value"} or not isinstance(text, str):
        raise TranslateError(f"{error}; give its bytes: value, in base64, and no other field") from error
    try:
        return _joined(url, base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        raise TranslateError(f"{error}, and its value is not base64") from error


def _joined(url: str, value: bytes) -> bytes:
    return _TOKEN + url.encode() + b"\0" + value


def _parts(payload: bytes) -> tuple[str, bytes] | None:
    """Type URL and bytes that a stand-in holds; None for any other BytesValue."""
    if not payload.startswith(_TOKEN):
        return None
    url, _, value = payload.removeprefix(_TOKEN).partition(b"\0")
    return url.decode(), value


def _encoded(payload: bytes) -> str:
    return base64.b64encode(payload).decode()


def _revealed(holder: any_pb2.Any) -> bool:
    if holder.type_url != _STAND_IN:
        return False
    parts = _parts(wrappers_pb2.BytesValue.FromString(holder.value).value)
    if parts is None:
        return False
    holder.type_url, holder.value = parts
    return True


def _stand_in(holder: any_pb2.Any) -> bool:
    try:
        load(holder.type_url)
    except TranslateError:
        payload = wrappers_pb2.BytesValue(value=_joined(holder.type_url, holder.value))
        holder.type_url, holder.value = _STAND_IN, payload.SerializeToString()
        return True
    return False


def _replace(message: Message, replace: Callable[[any_pb2.Any], bool]) -> int:
    """Offer each `Any` in a message to `replace`, those inside of others too; how many it changed."""
    if isinstance(message, any_pb2.Any):
        return 1 if replace(message) else _replace_inside(message, replace)
    count = 0
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if isinstance(value, Message):
            count += _replace(value, replace)
            continue
        parts = value.values() if isinstance(value, MutableMapping) else value
        count += sum(_replace(part, replace) for part in parts if isinstance(part, Message))
    return count


def _replace_inside(holder: any_pb2.Any, replace: Callable[[any_pb2.Any], bool]) -> int:
    try:
        inner = load(holder.type_url)()
        inner.ParseFromString(holder.value)
    except (TranslateError, DecodeError):
        return 0
    count = _replace(inner, replace)
    if count:
        holder.value = inner.SerializeToString(deterministic=True)
    return count
