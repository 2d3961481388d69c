"""Served bytes as JSON, for people."""

import base64
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import DecodeError

from steerway.errors import TranslateError
from steerway.translate.protobuf import message


def to_json(type_url: str, body: bytes) -> dict[str, Any]:
    """A serialised resource in protobuf's JSON mapping; what has no JSON comes as `{"base64": …, "error": …}`."""
    try:
        decoded = message.load(type_url)()
        decoded.ParseFromString(body)
        return message.to_json(decoded)
    except (TranslateError, DecodeError, json_format.Error, TypeError) as error:
        return {"base64": base64.b64encode(body).decode(), "error": str(error)}
