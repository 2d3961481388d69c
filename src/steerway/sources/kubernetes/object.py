"""Requests for single objects of the API server."""

import json
from collections.abc import Mapping
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


async def write_secret(
    client: KubernetesClient,
    path: str,
    stored: dict[str, Any] | None,
    namespace: str,
    name: str,
    data: Mapping[str, str],
) -> None:
    """Create a Secret, or replace the data of the one that was read. `path`: of the Secrets of the namespace; `data`:
    in base64. Raises RequestError, with status 409 where another writer was first."""
    metadata = {"name": name, "namespace": namespace}
    secret = stored or {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": "Opaque"}
    secret = {**secret, "data": data}
    if stored is None:
        await client.post(path, secret)
    else:
        await client.put(f"{path}/{name}", secret)


def problem_of(where: str, error: SourceError, rule: str, server: str) -> Problem:
    """The problem of a failed request. `rule`: the permission that it needs, and where."""
    permission = f"grant it: add {rule}"
    return Problem(where, str(error), request_hint(error, permission, server))
