"""Requests for single objects of the API server."""

import json
from typing import Any

from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.hint import request_hint
from steerway.sources.store import Problem


async def read(client: KubernetesClient, path: str) -> dict[str, Any] | None:
    """An object; None if it does not exist. Raises SourceError."""
    try:
        manifest: dict[str, Any] = json.loads(await client.get(path, {}))
    except RequestError as error:
        if error.failure.status != 404:
            raise
        return None
    return manifest


def problem_of(where: str, error: SourceError, rule: str, server: str) -> Problem:
    """The problem of a failed request. `rule`: the permission that it needs, and where."""
    permission = f"grant it: add {rule}"
    return Problem(where, str(error), request_hint(error, permission, server))
