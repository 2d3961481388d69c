"""Certificates in Secrets: what a file of the pods holds, and how long a certificate is valid."""

from base64 import b64decode
from datetime import datetime, timedelta

from steerway.certificate.pair import UnusableError, parsed
from steerway.kubecheck.context import Context
from steerway.kubecheck.result import Result, error, ok, warning

_SOON = timedelta(days=14)
"""Before the end of a certificate that is valid for longer; of others, a fifth of their lifetime."""


async def secret_file(context: Context, path: str) -> bytes | None:
    """The content of a file that a Secret is mounted as; None if the file is no part of a Secret; empty if the Secret
    or its key does not exist. Raises UnreadableError."""
    source = context.installed.secret_key(path)
    if source is None:
        return None
    name, key = source
    secret = await context.reader.get(f"/api/v1/namespaces/{context.installed.namespace}/secrets/{name}")
    return b64decode(((secret or {}).get("data") or {}).get(key) or "")


def lifetime(where: str, certificate: bytes, now: datetime, renew: str) -> Result:
    """Whether a certificate (PEM) is valid now, and for long enough. `renew`: the fix."""
    try:
        read = parsed(certificate)
    except UnusableError as failure:
        return error(f"{where} cannot be used: {failure}", renew)
    begin, end = read.not_valid_before_utc, read.not_valid_after_utc
    if now >= end:
        return error(f"{where} expired on {end:%Y-%m-%d %H:%M} UTC", renew)
    if now < begin:
        return error(f"{where} is not valid before {begin:%Y-%m-%d %H:%M} UTC", f"check the clocks; {renew}")
    text = f"{where} is valid until {end:%Y-%m-%d %H:%M} UTC"
    if end - now < min(_SOON, (end - begin) / 5):
        return warning(f"{text}, which is soon", renew)
    return ok(text)
