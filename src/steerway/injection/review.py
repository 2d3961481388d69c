"""An AdmissionReview (admission.k8s.io/v1): from the body of a request to that of its response.

A request that is no AdmissionReview gets an HTTP error; every other one is allowed.
"""

import base64
import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from steerway import telemetry
from steerway.injection.mutation import Mutation, inject
from steerway.injection.options import InjectionOptions
from steerway.runtime.isolation import isolated
from steerway.text import bounded

log = structlog.get_logger()

_VERSION = "admission.k8s.io/v1"
_KIND = "AdmissionReview"
_FAILED = "steerway: not injected: internal error; the log of steerway has the cause"


class InvalidReviewError(ValueError):
    """The body is no AdmissionReview of a supported version: the text names the fix."""


class _Kind(msgspec.Struct):
    group: str = ""
    version: str = ""
    kind: str = ""


class _Request(msgspec.Struct):
    uid: str
    kind: _Kind
    operation: str
    namespace: str = ""
    subResource: str = ""  # noqa: N815 - a key of the API
    object: dict[str, Any] | None = None


class _Review(msgspec.Struct):
    apiVersion: str  # noqa: N815 - a key of the API
    kind: str
    request: _Request | None = None


_DECODER = msgspec.json.Decoder(_Review)
_POD = _Kind("", "v1", "Pod")


def respond(body: bytes, options: InjectionOptions) -> bytes:
    """The body of the response. Raises InvalidReviewError."""
    started = time.perf_counter()
    request = _decoded(body)
    mutation, result = _mutation(request, options)
    telemetry.INJECTIONS.labels(result).inc()
    telemetry.INJECTION_SECONDS.observe(time.perf_counter() - started)
    return json.dumps(_review(request.uid, mutation)).encode()


def _decoded(body: bytes) -> _Request:
    try:
        review = _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidReviewError(f"the body is no {_KIND}: {bounded(str(error))}") from None
    if review.kind != _KIND or review.apiVersion != _VERSION:
        raise InvalidReviewError(
            f"{bounded(review.apiVersion)} {bounded(review.kind)} is not supported: set admissionReviewVersions"
            f" of the webhook to [v1], for {_KIND} of {_VERSION}"
        )
    if review.request is None:
        raise InvalidReviewError(f"the {_KIND} has no request")
    return review.request


def _mutation(request: _Request, options: InjectionOptions) -> tuple[Mutation, str]:
    """The mutation, and the result as metrics have it."""
    expected = request.kind == _POD and request.operation == "CREATE" and not request.subResource
    if not expected or request.object is None:
        warning = "steerway injects pods when they are created: correct the rules of the webhook"
        return Mutation("unchanged", warnings=(warning,)), "invalid"
    with isolated("injection", namespace=request.namespace) as run:
        mutation = inject(request.object, request.namespace, request.uid, options)
    if run.failure:
        return Mutation("not_injected", warnings=(_FAILED,)), "failed"
    return mutation, mutation.result


def _review(uid: str, mutation: Mutation) -> dict[str, Any]:
    response: dict[str, Any] = {"uid": uid, "allowed": True}
    if mutation.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(_encoded(mutation.patch)).decode()
    if mutation.warnings:
        response["warnings"] = [bounded(warning) for warning in mutation.warnings]
    return {"apiVersion": _VERSION, "kind": _KIND, "response": response}


def _encoded(patch: Sequence[dict[str, Any]]) -> bytes:
    return json.dumps(patch, separators=(",", ":")).encode()
