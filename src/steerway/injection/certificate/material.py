"""The content of the Secret.

`tls.crt` and `tls.key` are the serving certificate. `ca.crt` has the CA certificates that are trusted: first the one in
use, whose key is `ca.key`, then former ones. `next-ca.crt` and `next-ca.key` are the CA that replaces it soon.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from steerway.certificate.bundle import certificates, joined
from steerway.certificate.pair import Pair, UnusableError
from steerway.certificate.secret import encoded, pair, value

SERVING_CERTIFICATE, SERVING_KEY = "tls.crt", "tls.key"
CA, _CA_KEY = "ca.crt", "ca.key"
_NEXT, _NEXT_KEY = "next-ca.crt", "next-ca.key"


@dataclass(frozen=True)
class Material:
    """`upcoming` is the CA that replaces `authority` as soon as it is trusted; `retired` are former CA certificates."""

    authority: Pair
    serving: Pair
    upcoming: Pair | None = None
    retired: tuple[bytes, ...] = ()

    @property
    def trusted(self) -> tuple[bytes, ...]:
        """What the `caBundle` must have."""
        upcoming = (self.upcoming.certificate,) if self.upcoming else ()
        return (self.authority.certificate, *upcoming, *self.retired)

    def encode(self) -> dict[str, str]:
        """The `data` of the Secret."""
        data = {
            SERVING_CERTIFICATE: self.serving.certificate,
            SERVING_KEY: self.serving.key,
            CA: joined((self.authority.certificate, *self.retired)),
            _CA_KEY: self.authority.key,
        }
        if self.upcoming is not None:
            data |= {_NEXT: self.upcoming.certificate, _NEXT_KEY: self.upcoming.key}
        return encoded(data)

    @classmethod
    def decode(cls, data: Mapping[str, str]) -> "Material":
        """Raises UnusableError, whose text names the key."""
        authorities = certificates(value(data, CA))
        if not authorities:
            raise UnusableError(f"{CA}: no certificate")
        authority = pair(CA, authorities[0], value(data, _CA_KEY))
        serving = pair(SERVING_CERTIFICATE, value(data, SERVING_CERTIFICATE), value(data, SERVING_KEY))
        upcoming = pair(_NEXT, value(data, _NEXT), value(data, _NEXT_KEY)) if _NEXT in data else None
        return cls(authority, serving, upcoming, authorities[1:])
