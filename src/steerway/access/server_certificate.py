"""The certificate that the xDS server shows, with its key and the authorities of clients: from files to the engine."""

from collections.abc import Callable, Sequence
from pathlib import Path

from steerway import telemetry
from steerway.access.watched_files import ContentError, WatchedFiles
from steerway.config import TlsSettings
from steerway.errors import EngineError

SetTls = Callable[[bytes, bytes, bytes | None, bool], float]
"""Certificate, key, client CA, whether clients need a certificate → when the certificate expires (since the epoch).
Raises EngineError, whose text names the wrong one."""


class ServerCertificate:
    """Sets TLS up from `settings`, and anew whenever one of the files has changed. Streams stay open."""

    def __init__(self, settings: TlsSettings, set_tls: SetTls) -> None:
        """ContentError when the files cannot be used. `settings` has a certificate and a key."""
        assert settings.certificate is not None
        assert settings.key is not None
        self._settings = settings
        self._set_tls = set_tls
        given = (settings.certificate, settings.key, settings.client_ca)
        self._paths = [path for path in given if path is not None]
        self.files = WatchedFiles(self._paths, self._take)
        self.files.load()

    def _take(self, contents: Sequence[bytes]) -> None:
        certificate, key = contents[:2]
        client_ca = contents[2] if len(contents) > 2 else None
        try:
            expires = self._set_tls(certificate, key, client_ca, self._settings.require_client_certificate)
        except EngineError as error:
            raise ContentError(str(self._blamed(str(error))), str(error)) from None
        telemetry.CERTIFICATE_EXPIRY.labels(str(self._paths[0])).set(expires)

    def _blamed(self, reason: str) -> Path:
        """The file that an error of the engine is about: `key: …`, `client CA: …` or `certificate: …`."""
        index = 1 if "key: " in reason else 2 if "client CA: " in reason else 0
        return self._paths[index]
