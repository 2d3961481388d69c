"""A TLS context from a certificate and a key in memory."""

import os
import ssl


def server_context(certificate: bytes, key: bytes) -> ssl.SSLContext:
    """TLS 1.2 and later. Raises ssl.SSLError for a pair that cannot be used.

    `ssl` reads files only: the key is in an anonymous file in memory, never on a disk, and needs no writable directory.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    descriptor = os.memfd_create("certificate", os.MFD_CLOEXEC)
    with os.fdopen(descriptor, "wb") as file:
        file.write(certificate.rstrip() + b"\n" + key)
        file.flush()
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    return context
