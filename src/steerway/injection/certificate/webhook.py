"""The `caBundle` of the MutatingWebhookConfiguration: what API servers trust.

It is written by a JSON patch that tests the name of each webhook: the patch changes nothing else, does not create an
object, and owns the one field, so that a server-side apply of the rest (Helm) has no conflict.
"""

import asyncio
import time
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import structlog

from steerway.certificate.bundle import certificates
from steerway.errors import SourceError
from steerway.injection.certificate.bundle import updated
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.kubernetes.object import read

log = structlog.get_logger()

FIELD_MANAGER = "steerway-injection"
SPREAD_SECONDS = 2.0
"""In which API servers, which watch the configuration, use a `caBundle` that was written."""
SETTLED_SECONDS = 60.0
"""A `caBundle` that has not changed for this time is known to all API servers, and its certificate to all replicas."""
WEBHOOKS = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations"


class Webhook:
    """The configuration `name`, as far as it calls `service` in the own namespace."""

    def __init__(self, name: str, service: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._name, self._service = name, service
        self._path = f"{WEBHOOKS}/{name}"
        self._clock = clock
        self._entries: dict[int, tuple[str, bytes]] = {}
        self._since = 0.0
        self.where = f"MutatingWebhookConfiguration {name}"
        self.rule = (
            "{apiGroups: [admissionregistration.k8s.io], resources: [mutatingwebhookconfigurations],"
            f" resourceNames: [{name}], verbs: [get, patch]}} to the rules of a ClusterRole"
        )

    async def read(self, client: KubernetesClient, namespace: str) -> None:
        """Raises SourceError, also when it does not call the Service."""
        configuration = await read(client, self._path)
        if configuration is None:
            hint = "install it as the guide of injection describes, or correct injection.webhook"
            raise SourceError("does not exist: no API server calls steerway", hint)
        entries = self._own(configuration, namespace)
        if not entries:
            hint = "correct its clientConfig.service, or injection.service"
            raise SourceError(f"no webhook calls Service {namespace}/{self._service}", hint)
        if entries != self._entries:
            self._entries, self._since = entries, self._clock()

    def forget(self) -> None:
        """Another replica writes now: what was read is out of date."""
        self._entries = {}

    def trusts(self, certificate: bytes) -> bool:
        """Whether all API servers trust a CA certificate by now."""
        wanted = set(certificates(certificate))
        bundles = [set(certificates(bundle)) for _, bundle in self._entries.values()]
        return bool(bundles) and self._is_settled and all(wanted <= bundle for bundle in bundles)

    async def trust(self, client: KubernetesClient, wanted: Sequence[bytes], now: datetime) -> None:
        """Add CA certificates, and remove others once nothing has changed for a while. Returns when API servers trust
        them. Raises SourceError."""
        trusted = certificates(b"".join(wanted))
        patch = []
        for index, (name, present) in self._entries.items():
            bundle = updated(present, trusted, now, settled=self._is_settled)
            if bundle is not None:
                where, value = f"/webhooks/{index}", b64encode(bundle).decode()
                patch += [
                    {"op": "test", "path": f"{where}/name", "value": name},
                    {"op": "add", "path": f"{where}/clientConfig/caBundle", "value": value},
                ]
        if patch:
            await client.patch_json(self._path, patch, FIELD_MANAGER)
            log.info("ca_bundle_written", where=self.where)
            await asyncio.sleep(SPREAD_SECONDS)

    @property
    def _is_settled(self) -> bool:
        return self._clock() - self._since >= SETTLED_SECONDS

    def _own(self, configuration: dict[str, Any], namespace: str) -> dict[int, tuple[str, bytes]]:
        """Name and `caBundle` of the webhooks that call the own Service, by index."""
        entries = {}
        for index, webhook in enumerate(configuration.get("webhooks") or ()):
            if calls_service(webhook, namespace, self._service):
                client_config = webhook["clientConfig"]
                entries[index] = (webhook["name"], b64decode(client_config.get("caBundle") or ""))
        return entries


def calls_service(webhook: dict[str, Any], namespace: str, service: str) -> bool:
    """Whether a webhook of a configuration calls this Service."""
    called = (webhook.get("clientConfig") or {}).get("service") or {}
    return (called.get("namespace"), called.get("name")) == (namespace, service)
