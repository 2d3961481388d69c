"""An authority and a certificate of its for `localhost`, for servers that speak TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from testbed.certificate import Authority


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM: what clients trust, and what the server shows and signs with."""

    authority: Path
    certificate: Path
    key: Path


@contextmanager
def issue() -> Iterator[Certificate]:
    """A new certificate of a new authority (ECDSA P-256), for as long as the context lasts."""
    authority = Authority("steerway benchmark")
    issued = authority.issue("localhost", usage="server")
    with TemporaryDirectory(prefix="steerway-bench-") as folder:
        certificate = Certificate(
            *(Path(folder) / f"{name}.pem" for name in ("authority", "certificate", "key"))
        )
        certificate.authority.write_bytes(authority.certificate)
        certificate.certificate.write_bytes(issued.certificate)
        certificate.key.write_bytes(issued.key)
        yield certificate
