"""The OpenAPI document of all operations."""

from collections.abc import Sequence

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from steerway.admin.api import openapi
from steerway.admin.api.route.operation import Operation, encoded


def operation(others: Sequence[Operation]) -> Operation:
    """`/api/v1/openapi.json`."""
    body = msgspec.json.encode(openapi.document(others))

    async def document(_request: Request) -> Response:
        return encoded(body)

    return Operation("/api/v1/openapi.json", document, "this API as an OpenAPI document")
