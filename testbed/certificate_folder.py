"""The certificates of one workload in a folder, as the kubelet writes a projected volume."""

import itertools
import shutil
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509

from testbed.certificate import Authority

_DATA = "..data"
CERTIFICATE, KEY, ROOTS = "tls.crt", "tls.key", "ca.crt"
_FILES = (CERTIFICATE, KEY, ROOTS)


class CertificateFolder:
    """`tls.crt`, `tls.key` and `ca.crt` of the workload `identity` (a SPIFFE ID).

    A process that reads them sees all three of the same write: they are links into the folder that the link `..data`
    names, which is replaced (Kubernetes, pkg/volume/util/atomic_writer.go).
    """

    def __init__(self, path: Path, identity: str) -> None:
        self.path = path
        self.identity = identity
        self.serial = ""
        """The hexadecimal serial number of the certificate."""
        self._numbers = itertools.count()
        path.mkdir(parents=True)
        for name in _FILES:
            (path / name).symlink_to(f"{_DATA}/{name}")

    def write(self, issuer: Authority, roots: Iterable[Authority]) -> None:
        """Replace all: a new key and a certificate of `issuer`, and these authorities to trust."""
        issued = issuer.issue(self.identity)
        self.serial = f"{x509.load_pem_x509_certificate(issued.certificate).serial_number:x}"
        content = {
            CERTIFICATE: issued.certificate,
            KEY: issued.key,
            ROOTS: b"".join(root.certificate for root in roots),
        }
        written = self.path / f"..{next(self._numbers)}"
        written.mkdir()
        for name, data in content.items():
            (written / name).write_bytes(data)
        link = self.path / f"{_DATA}_tmp"
        link.symlink_to(written.name)
        before = (self.path / _DATA).resolve() if (self.path / _DATA).exists() else None
        link.replace(self.path / _DATA)
        if before is not None:
            shutil.rmtree(before)
