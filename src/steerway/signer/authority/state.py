"""The content of the Secret of the signer.

| key | |
|---|---|
| `root.crt`, `root.key` | the root in use; no key where the CA is brought |
| `issuer.crt`, `issuer.key` | the CA that signs certificates of workloads, then those between it and the root |
| `next-…` | the four of them for the CA that replaces it |
| `retired.crt` | former roots, which are still trusted |
| `state.json` | times and durations |
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from steerway.certificate import secret
from steerway.certificate.bundle import certificates, joined
from steerway.certificate.pair import Pair, UnusableError, parsed

_NEXT = "next-"
_RETIRED = "retired.crt"
_STATE = "state.json"


@dataclass(frozen=True)
class Authority:
    """`issuer` signs certificates of workloads. `root` is a certificate; `root_key` b"" where the CA is brought.
    `between`: certificates from that of the issuer of `issuer` to the one below `root`."""

    root: bytes
    issuer: Pair
    root_key: bytes = b""
    between: tuple[bytes, ...] = ()

    @property
    def chain(self) -> tuple[bytes, ...]:
        """What follows the certificate of a workload."""
        own = () if self.issuer.certificate == self.root else (self.issuer.certificate,)
        return (*own, *self.between)

    @property
    def expires(self) -> datetime:
        """When the first of its certificates expires."""
        path = (self.root, self.issuer.certificate, *self.between)
        return min(parsed(certificate).not_valid_after_utc for certificate in path)

    def encode(self, prefix: str) -> dict[str, bytes]:
        """Keys and values of the Secret."""
        data = {
            f"{prefix}root.crt": self.root,
            f"{prefix}issuer.crt": joined((self.issuer.certificate, *self.between)),
            f"{prefix}issuer.key": self.issuer.key,
        }
        return {**data, f"{prefix}root.key": self.root_key} if self.root_key else data

    @classmethod
    def decode(cls, data: Mapping[str, str], prefix: str) -> "Authority":
        """Raises UnusableError."""
        name = f"{prefix}issuer.crt"
        path = _some(data, name)
        issuer = secret.pair(name, path[0], secret.value(data, f"{prefix}issuer.key"))
        root, root_key = _some(data, f"{prefix}root.crt")[0], b""
        if f"{prefix}root.key" in data:
            root_key = secret.pair(f"{prefix}root.crt", root, secret.value(data, f"{prefix}root.key")).key
        return cls(root, issuer, root_key, path[1:])


@dataclass(frozen=True)
class Retired:
    """A former root, and the time at which the last certificate below it has expired."""

    root: bytes
    until: datetime


@dataclass(frozen=True)
class CaState:
    """`upcoming` replaces `authority` once workloads trust its root, which the ClusterTrustBundle has since `published`
    (None: not yet). `longest`: the longest lifetime of certificates that `authority` has issued. `rotated`: the last
    value of the annotation that requests a rotation."""

    authority: Authority
    longest: timedelta
    upcoming: Authority | None = None
    published: datetime | None = None
    retired: tuple[Retired, ...] = ()
    rotated: str = ""

    @property
    def trusted(self) -> tuple[bytes, ...]:
        """The roots that workloads trust: that in use first."""
        upcoming = (self.upcoming.root,) if self.upcoming else ()
        return tuple(dict.fromkeys((self.authority.root, *upcoming, *(old.root for old in self.retired))))

    def encode(self) -> dict[str, str]:
        """The `data` of the Secret."""
        times = {
            "longestSeconds": int(self.longest.total_seconds()),
            "published": _text(self.published) if self.published else None,
            "retired": [_text(old.until) for old in self.retired],
            "rotated": self.rotated,
        }
        data = {
            **self.authority.encode(""),
            **(self.upcoming.encode(_NEXT) if self.upcoming else {}),
            _RETIRED: joined(old.root for old in self.retired),
            _STATE: json.dumps(times, indent=1).encode(),
        }
        return secret.encoded(data)

    @classmethod
    def decode(cls, data: Mapping[str, str]) -> "CaState":
        """Raises UnusableError, whose text names the key."""
        upcoming = Authority.decode(data, _NEXT) if f"{_NEXT}issuer.crt" in data else None
        roots = certificates(secret.value(data, _RETIRED))
        try:
            times: Any = json.loads(secret.value(data, _STATE))
            ends = [_time(text) for text in times["retired"]]
            published = _time(times["published"]) if times["published"] else None
            longest, rotated = timedelta(seconds=times["longestSeconds"]), str(times["rotated"])
            retired = tuple(Retired(root, until) for root, until in zip(roots, ends, strict=True))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            if isinstance(error, UnusableError):
                raise
            raise UnusableError(f"{_STATE}: not readable: {error!r}") from None
        return cls(Authority.decode(data, ""), longest, upcoming, published, retired, rotated)


def _some(data: Mapping[str, str], key: str) -> tuple[bytes, ...]:
    several = certificates(secret.value(data, key))
    if not several:
        raise UnusableError(f"{key}: no certificate")
    return several


def _text(time: datetime) -> str:
    return time.astimezone(UTC).isoformat()


def _time(text: str) -> datetime:
    """Raises ValueError for a text without a time zone, which cannot be compared."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return time
