"""The objects that a request names, read from the API server.

The Pod is read each time. The UIDs of service accounts and nodes, which many Pods share, are read again after some
seconds; one that does not match is always read.
"""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import TypeVar

import msgspec

from steerway.signer.decision import Objects
from steerway.signer.pod import IDENTIFIED, POD, LivePod
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.event import Failure
from steerway.sources.objects.certificate_request import PodCertificateRequest

KEPT_SECONDS = 10.0
_MOST_KEPT = 10_000
_T = TypeVar("_T")


class Lookup:
    """Reads with one client. Raises SourceError."""

    def __init__(self, client: KubernetesClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._kept: dict[tuple[str, str], float] = {}
        """When an object, by path, had a UID."""

    async def objects(self, request: PodCertificateRequest) -> Objects:
        """Those of one request."""
        spec = request.spec
        namespaced = f"/api/v1/namespaces/{request.metadata.namespace}"
        pod = await self._pod(f"{namespaced}/pods/{spec.pod_name}")
        account = f"{namespaced}/serviceaccounts/{spec.service_account_name}"
        return Objects(
            pod,
            await self._uid(account, spec.service_account_uid),
            await self._uid(f"/api/v1/nodes/{spec.node_name}", spec.node_uid),
        )

    async def _pod(self, path: str) -> LivePod | None:
        body = await self._read(path)
        return None if body is None else _decoded(POD, path, body)

    async def _uid(self, path: str, expected: str) -> str:
        """The UID of an object, "" if it does not exist."""
        now = self._clock()
        if now < self._kept.get((path, expected), -KEPT_SECONDS) + KEPT_SECONDS:
            return expected
        body = await self._read(path)
        uid = "" if body is None else _decoded(IDENTIFIED, path, body).metadata.uid
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        if uid:
            self._kept[path, uid] = now
        return uid

    async def _read(self, path: str) -> bytes | None:
        try:
            return await self._client.get(path, {})
        except RequestError as error:
            if error.failure.status == HTTPStatus.NOT_FOUND:
                return None
            raise


def _decoded(decoder: msgspec.json.Decoder[_T], path: str, body: bytes) -> _T:
    try:
        return decoder.decode(body)
    except msgspec.DecodeError as error:
        raise RequestError(Failure(None, "unreadable object", f"{path}: {error}")) from None
