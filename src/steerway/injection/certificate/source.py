"""Where the certificate of the webhook comes from: the Secret, or files of the user."""

import asyncio
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path

from steerway import telemetry
from steerway.access.watched_files import ContentError, WatchedFiles
from steerway.certificate.pair import Pair, UnusableError
from steerway.errors import SettingsError
from steerway.injection.certificate.context import server_context
from steerway.injection.certificate.follower import Follower
from steerway.injection.certificate.keeper import Keeper
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.store import Problem


class SecretCertificate:
    """The certificate in the Secret, and its renewal in the replica that holds the Lease."""

    def __init__(self, keeper: Keeper, follower: Follower) -> None:
        self._keeper = keeper
        self._follower = follower

    def context(self) -> ssl.SSLContext | None:
        """For the next handshake; None before there is a certificate."""
        return self._follower.context

    async def wait(self) -> None:
        """Until there is a certificate."""
        await self._follower.taken.wait()

    def problems(self) -> Sequence[Problem]:
        """Of the keeper, which knows more, or of the follower."""
        kept = tuple(self._keeper.problems.values())
        follower = self._follower.problem
        known = {problem.where for problem in kept}
        return kept if follower is None or follower.where in known else (*kept, follower)

    async def write(self, client: KubernetesClient, active: Callable[[], bool], namespace: str) -> None:
        """Follow the Secret, and keep it while `active`, until cancelled. `namespace`: that of this pod."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follower.run(client, namespace))
            tasks.create_task(self._keeper.run(client, active, namespace))


class FileCertificate:
    """A certificate and its key in files, which are read again when they change."""

    name = "injection certificate"

    def __init__(self, certificate: Path, key: Path) -> None:
        """Raises SettingsError when the files cannot be used."""
        self._certificate = certificate
        self._context: ssl.SSLContext | None = None
        self._files = WatchedFiles([certificate, key], self._take)
        try:
            self._files.load()
        except ContentError as error:
            raise SettingsError(str(error)) from None

    def context(self) -> ssl.SSLContext | None:
        """For the next handshake."""
        return self._context

    def problems(self) -> Sequence[Problem]:
        """Why the present files are not in use."""
        return () if self._files.problem is None else (self._files.problem,)

    async def run(self) -> None:
        """Follow the files until cancelled."""
        await self._files.run()

    def _take(self, contents: Sequence[bytes]) -> None:
        certificate, key = contents
        where = str(self._certificate)
        try:
            pair = Pair(certificate, key)
            self._context = server_context(certificate, key)
        except (UnusableError, ssl.SSLError) as error:
            hint = "give a certificate in PEM and its key without a passphrase"
            raise ContentError(where, str(error), hint) from None
        telemetry.CERTIFICATE_EXPIRY.labels(where).set(pair.x509.not_valid_after_utc.timestamp())
