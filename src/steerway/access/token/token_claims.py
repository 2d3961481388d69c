"""The claims of a service-account token, read without trust.

It saves asking the API server about tokens that cannot be good, and gives the life of a good one. Nothing here is a
proof: the sender of a token writes its claims.
"""

import json
import re
from base64 import urlsafe_b64decode
from typing import Any, NamedTuple

ALGORITHMS = ("RS256", "RS384", "RS512", "ES256", "ES384", "ES512")
"""Those that kube-apiserver signs with. None is symmetric: a public key must never be taken for a shared secret."""
MAX_TOKEN = 16_384
"""Longest token in bytes that is looked at; those of Kubernetes have about 1 KiB."""
LEEWAY_SECONDS = 10.0
"""By how much clocks may differ."""
_MAX_TIME = 1e12
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")  # RFC 7515, section 3.1: compact
_NO_TOKEN = "the token is no JSON Web Token"


class Unverified(NamedTuple):
    """A token in parts that nothing has proved yet. `kid`: the key that it names, "" for none."""

    kid: str
    claims: dict[str, Any]


def read(token: str) -> Unverified:
    """The parts of a signed JSON Web Token. Raises ValueError when it is none, or none that can be verified."""
    if len(token) > MAX_TOKEN:
        raise ValueError(f"the token is longer than {MAX_TOKEN} bytes")
    form = _FORM.fullmatch(token)
    if form is None:
        raise ValueError(_NO_TOKEN)
    header, claims = _object(form[1]), _object(form[2])
    if header.get("alg") not in ALGORITHMS:
        raise ValueError(f"the token is not signed with one of {', '.join(ALGORITHMS)}")
    kid = header.get("kid", "")
    if not isinstance(kid, str):
        raise ValueError("the token names its key by no text")  # noqa: TRY004 - a matter of what the client wrote
    return Unverified(kid, claims)


def check_times(claims: dict[str, Any], now: float) -> float | None:
    """When the token expires, see `expiry`. ValueError when that is past, or when it is not valid yet."""
    expires = expiry(claims)
    if expires is not None and expires <= now:
        raise ValueError("the token has expired; clients have to read their token file again")
    begins = _time(claims, "nbf")
    if begins is not None and begins > now + LEEWAY_SECONDS:
        raise ValueError("the token is not yet valid")
    return expires


def expiry(claims: dict[str, Any]) -> float | None:
    """The end of the token's life in seconds since the epoch; None without one. Raises ValueError for no time."""
    return _time(claims, "exp")


def audiences(claims: dict[str, Any]) -> list[str]:
    """The audiences of the token; empty without any (RFC 7519: a string, or a list of them)."""
    audience_claim = claims.get("aud")
    listed = audience_claim if isinstance(audience_claim, list) else [audience_claim]
    return [name for name in listed if isinstance(name, str)]


def foreign(presented: list[str], accepted: tuple[str, ...]) -> str:
    """The reason to refuse a token that is for somebody else."""
    audiences = ", ".join(presented[:5]) or "no audience"
    return (
        f"the token is for {audiences} and not for {' or '.join(accepted)}: project one with that audience"
        " (serviceAccountToken.audience), or add its audience to authentication.audiences"
    )


def _object(part: str) -> dict[str, Any]:
    """A base64url part as the JSON object that it is. ValueError for anything else."""
    try:
        decoded = json.loads(urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        raise ValueError(_NO_TOKEN) from None
    if not isinstance(decoded, dict):
        raise ValueError(_NO_TOKEN)  # noqa: TRY004 - a matter of what the client wrote
    return decoded


def _time(claims: dict[str, Any], name: str) -> float | None:
    claim = claims.get(name)
    if not isinstance(claim, int | float) or isinstance(claim, bool):
        return None
    if not abs(claim) < _MAX_TIME:  # not a number, infinite, or too large for a float
        raise ValueError(f"the token's {name} is no point in time")
    return float(claim)
