"""The HTTP side of the webhook: one path, and errors for what is no AdmissionReview."""

import json

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from steerway import telemetry
from steerway.injection.options import InjectionOptions
from steerway.injection.review import InvalidReviewError, respond

PATH = "/inject"
MAX_BODY_BYTES = 4 << 20
"""The API server takes objects of 3 MiB; a request has the object and its context."""


def application(options: InjectionOptions) -> Starlette:
    """The ASGI application."""

    async def inject(request: Request) -> Response:
        body = await request.body()
        try:
            return Response(respond(body, options), media_type="application/json")
        except InvalidReviewError as error:
            telemetry.INJECTIONS.labels("invalid").inc()
            return _refusal(400, str(error))

    return Starlette(
        routes=[Route(PATH, inject, methods=["POST"])],
        exception_handlers={HTTPException: _error},
    )


async def _error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refusal(error.status_code, f"{error.detail}: POST an AdmissionReview to {PATH}")


def _refusal(status: int, reason: str) -> Response:
    return Response(json.dumps({"error": reason}), status, media_type="application/json")
