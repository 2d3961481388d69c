"""Construction of the injection webhook from settings."""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace
from typing import TypeAlias

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Insecure, Server, Tls
from steerway.config import Settings
from steerway.control.server import http_limits
from steerway.http.server import HttpServer
from steerway.injection.application import MAX_BODY_BYTES, application
from steerway.injection.certificate.follower import Follower
from steerway.injection.certificate.keeper import Keeper
from steerway.injection.certificate.source import FileCertificate, SecretCertificate
from steerway.injection.certificate.webhook import Webhook
from steerway.injection.options import CA_FILE, MOUNT_PATH, TOKEN_FILE, InjectionOptions
from steerway.report.reporter import Writer
from steerway.sources.store import Problem

_CERTIFICATE_SECONDS = 5.0
_Certificate: TypeAlias = FileCertificate | SecretCertificate


class Injection:
    """The webhook and its certificate; without `injection.listen`, nothing."""

    def __init__(self, settings: Settings) -> None:
        """Raises SettingsError for certificate files that cannot be used."""
        self.servers: Sequence[tuple[str, HttpServer]] = ()
        """With what is announced before the address."""
        self.writers: Sequence[Writer] = ()
        """What the replica with the Lease writes."""
        self.parts: Sequence[FileCertificate] = ()
        """Tasks of the process."""
        self._certificates: Sequence[_Certificate] = ()
        if settings.injection.listen is not None:
            self._certificates = (_certificate(settings),)
            server = _server(settings, settings.injection.listen, self._certificates[0])
            self.servers = (("injection webhook on https://", server),)
        self.parts = [part for part in self._certificates if isinstance(part, FileCertificate)]
        self.writers = [part for part in self._certificates if isinstance(part, SecretCertificate)]

    async def wait(self) -> None:
        """Until the certificate was read, for a limited time: a replica that is ready gets requests of API servers, and
        a pod whose request fails has no bootstrap. xDS clients do not need it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CERTIFICATE_SECONDS):
                for certificate in self._certificates:
                    if isinstance(certificate, SecretCertificate):
                        await certificate.wait()

    def problems(self) -> Sequence[Problem]:
        """Why the certificate is not up to date."""
        return [problem for certificate in self._certificates for problem in certificate.problems()]


def injection_options(settings: Settings) -> InjectionOptions:
    """What is added to pods."""
    injection = settings.injection
    tls = Tls(ca=f"{MOUNT_PATH}/{CA_FILE}" if injection.ca else "")
    token = f"{MOUNT_PATH}/{TOKEN_FILE}" if injection.token_audience else ""
    return InjectionOptions(
        servers={
            "insecure": tuple(
                Server(ServerAddress.parse(address), (Insecure(),)) for address in injection.servers
            ),
            "tls": tuple(
                Server(ServerAddress.parse(address), (tls,), token) for address in injection.tls_servers
            ),
        },
        credentials=injection.credentials,
        method=injection.method,
        ca=injection.ca,
        token_audience=injection.token_audience,
        certificates=injection.certificates,
        signer_name=settings.identity.signer_name,
    )


def _certificate(settings: Settings) -> _Certificate:
    injection = settings.injection
    if injection.certificate is not None and injection.key is not None:
        return FileCertificate(injection.certificate, injection.key)
    webhook = Webhook(injection.webhook, injection.service)
    keeper = Keeper(webhook, injection.service, injection.secret, settings.cluster_domain)
    return SecretCertificate(keeper, Follower(injection.secret))


def _server(settings: Settings, listen: str, certificate: _Certificate) -> HttpServer:
    limits = replace(http_limits(settings, settings.injection.max_connections), body_bytes=MAX_BODY_BYTES)
    return HttpServer(
        listen,
        application(injection_options(settings)),
        "--injection-listen",
        name="injection",
        limits=limits,
        tls=certificate.context,
    )
