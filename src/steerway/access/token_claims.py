"""What a service-account token says of itself, read without believing it.

It saves asking the API server about tokens that cannot be good, and tells how long a good one lives. Nothing here is a
proof: whoever sends a token writes its claims.
"""

from typing import Any

import jwt

MAX_TOKEN = 16_384
"""Longest token in bytes that is looked at; those of Kubernetes have about 1 KiB."""
_MAX_TIME = 1e12


def unverified(token: str) -> dict[str, Any]:
    """The claims of a JSON Web Token. ValueError says why it is none."""
    if len(token) > MAX_TOKEN:
        raise ValueError(f"the token is longer than {MAX_TOKEN} bytes")
    try:
        claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, RecursionError):
        raise ValueError("the token is no JSON Web Token") from None
    return claims


def expiry(claims: dict[str, Any]) -> float | None:
    """The end of the token's life in seconds since the epoch; None when it does not say. ValueError for no time."""
    found = claims.get("exp")
    if not isinstance(found, int | float) or isinstance(found, bool):
        return None
    if not abs(found) < _MAX_TIME:  # not a number, infinite, or too large for a float
        raise ValueError("the token's end is no point in time")
    return float(found)


def audiences(claims: dict[str, Any]) -> list[str]:
    """Whom the token is for; empty when it does not say (RFC 7519: a string, or a list of them)."""
    found = claims.get("aud")
    listed = found if isinstance(found, list) else [found]
    return [each for each in listed if isinstance(each, str)]


def foreign(found: list[str], accepted: tuple[str, ...]) -> str:
    """The reason to refuse a token that is for somebody else."""
    whom = ", ".join(found[:5]) or "nobody"
    return (
        f"the token is for {whom} and not for {' or '.join(accepted)}: project one with that audience"
        " (serviceAccountToken.audience), or add its audience to authentication.audiences"
    )
