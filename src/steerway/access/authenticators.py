"""The authenticators that the settings configure: their tasks, their files, their problems.

Those of service-account tokens are imported when they are on: the libraries for signatures take a tenth of a start.
"""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from steerway.access.local import ClientCertificate, UnixSocket
from steerway.access.pod_address import PodAddress
from steerway.access.result import Authenticator
from steerway.access.server_certificate import ServerCertificate, SetTls
from steerway.access.token.shared_token import SharedToken
from steerway.access.token.static_token import StaticTokens
from steerway.access.watched_files import ContentError, WatchedFiles
from steerway.catalog.locality.pod_index import PodIndex
from steerway.config import Settings
from steerway.errors import SettingsError
from steerway.peer import Transport
from steerway.sources.kubernetes.access import Access
from steerway.sources.kubernetes.client import KubernetesClient
from steerway.sources.store import Problem

if TYPE_CHECKING:
    from steerway.access.token.jwks import SignedToken
    from steerway.access.token.token_review import TokenReview

log = structlog.get_logger()

_NO_AUTHENTICATION = Problem(
    "authentication",
    "every client that can connect sees every service, private ones included",
    "turn on a method of authentication: `steerway serve --help` lists them",
)


class Authenticators:
    """Authenticators, certificate and admin token; `run` keeps what they read from files up to date."""

    name = "access"

    def __init__(
        self,
        settings: Settings,
        set_tls: SetTls,
        pods: PodIndex,
        pod_outage_seconds: Callable[[str], float | None],
    ) -> None:
        """Read every file. Raises SettingsError when one cannot be used: steerway does not start without it.

        `pod_outage_seconds`: of the Pods of a namespace, see `KubernetesSource.outage_seconds`.
        """
        self.authenticators: list[Authenticator] = []
        """Those that are on, the ones that answer at once first."""
        self.admin_token: SharedToken | None = None
        self._settings = settings
        self._files: list[WatchedFiles] = []
        self._asking: TokenReview | SignedToken | None = None
        self._client: KubernetesClient | None = None
        try:
            self._read(set_tls)
            self._add_pod_address(pods, pod_outage_seconds)
        except ContentError as error:
            raise SettingsError(str(error)) from None

    async def run(self) -> None:
        """Follow the files until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for files in self._files:
                    tasks.create_task(files.run())
                await asyncio.Event().wait()
        finally:
            if self._asking is not None:
                await self._asking.close()
            if self._client is not None:
                await self._client.close()

    def problems(self) -> list[Problem]:
        """Files that are not in use as they stand now, and servers that cannot be asked."""
        parts = [*self._files, *([self._asking] if self._asking is not None else [])]
        return [part.problem for part in parts if part.problem is not None]

    def warn(self) -> None:
        """Log what an operator should know of these settings."""
        for warning in self.warnings():
            if warning is _NO_AUTHENTICATION:
                log.warning("no_authentication", reason=warning.reason, hint=warning.hint)
            else:
                log.warning("tokens_in_clear_text", reason=warning.reason, hint=warning.hint)

    def warnings(self) -> list[Problem]:
        """The same as a list."""
        if not self.authenticators:
            return [_NO_AUTHENTICATION]
        exposed = self._exposed_tokens()
        return [] if exposed is None else [exposed]

    @property
    def tokens_belong_to_tls(self) -> bool:
        """Whether a token on a plaintext connection is a mistake of the client, which has an address with TLS."""
        settings = self._settings
        return settings.authentication.accepts_tokens and settings.tls.certificate is not None

    def _exposed_tokens(self) -> Problem | None:
        plaintext = self._plaintext_for_tokens()
        if not plaintext:
            return None
        return Problem(
            "authentication",
            f"clients of {', '.join(plaintext)} send their tokens without TLS",
            "give tls.certificate and tls.key, and use the addresses in listen",
        )

    def _plaintext_for_tokens(self) -> list[str]:
        """Addresses without TLS where clients depend on tokens."""
        settings = self._settings
        if not settings.authentication.accepts_tokens:
            return []
        if settings.tls.certificate is None:
            tcp = [address for address in settings.listen if not address.startswith("unix:")]
            return [*tcp, *settings.plaintext_listen]
        # With TLS beside them, clients of these addresses need no token where their pods authenticate them.
        return list(settings.plaintext_listen) if settings.authentication.pod_address == "off" else []

    def _read(self, set_tls: SetTls) -> None:
        settings, authentication = self._settings, self._settings.authentication
        if settings.tls.certificate is not None:
            self._files.append(ServerCertificate(settings.tls, set_tls).files)
        if settings.admin_token_file is not None:
            self.admin_token = SharedToken(settings.admin_token_file)
            self._files.append(self.admin_token.files)
        if authentication.certificate:
            self.authenticators.append(ClientCertificate(authentication.trust_domains))
        if authentication.unix_socket:
            self.authenticators.append(UnixSocket())
        if authentication.token_file is not None:
            static = StaticTokens(authentication.token_file)
            self.authenticators.append(static)
            self._files.append(static.files)
        if authentication.service_account == "token_review":
            self._ask(self._token_review())
        elif authentication.service_account == "jwks":
            self._ask(self._signed_token())

    def _add_pod_address(self, pods: PodIndex, outage_seconds: Callable[[str], float | None]) -> None:
        authentication = self._settings.authentication
        if authentication.pod_address == "off":
            return
        transports: Sequence[Transport] = (
            ("plaintext",) if authentication.pod_address == "plaintext" else ("plaintext", "tls")
        )
        others = tuple(self.authenticators)
        everywhere = self._settings.kubernetes.namespaces == ("all",)
        scope = "" if everywhere else " of the namespaces in kubernetes.namespaces"
        self.authenticators.append(
            PodAddress(pods, outage_seconds, transports, others, authentication.timeout_seconds, scope)
        )

    def _ask(self, authenticator: "TokenReview | SignedToken") -> None:
        self._asking = authenticator
        self.authenticators.append(authenticator)

    def _token_review(self) -> "TokenReview":
        from steerway.access.token.key_set import KeySet
        from steerway.access.token.key_source import of_cluster
        from steerway.access.token.token_review import TokenReview

        authentication, server = self._settings.authentication, self._api_server()
        # A fetch that hangs leaves time for the review.
        keys = KeySet("", of_cluster(server), authentication.timeout_seconds / 2)
        return TokenReview(
            server,
            authentication.audiences,
            authentication.review_cache_seconds,
            authentication.timeout_seconds,
            keys=keys,
        )

    def _signed_token(self) -> "SignedToken":
        from steerway.access.token.jwks import SignedToken
        from steerway.access.token.key_source import of_cluster, of_url

        authentication = self._settings.authentication
        source = authentication.jwks
        fetch = of_cluster(self._api_server()) if source is None else None
        if source is not None and not source.startswith("/"):
            fetch = of_url(source)
        made = SignedToken(
            authentication.audiences, authentication.issuer or "", fetch, authentication.timeout_seconds
        )
        if source is not None and fetch is None:

            def take(contents: Sequence[bytes]) -> None:
                made.take(contents[0], source)

            files = WatchedFiles([Path(source)], take)
            files.load()
            self._files.append(files)
        return made

    def _api_server(self) -> KubernetesClient:
        kubernetes = self._settings.kubernetes
        self._client = KubernetesClient(Access.find(kubernetes.kubeconfig, kubernetes.context))
        return self._client
