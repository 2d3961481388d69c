"""The identity of a client that a credential has proved.

Sources: SPIFFE-ID and X509-SVID specifications (one URI name per certificate); the path `/ns/NS/sa/SA` is the form of
Istio and of SPIRE's Kubernetes registrars; `system:serviceaccount:NS:SA` is Kubernetes' own name of a service account.
"""

import re
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias

Kind: TypeAlias = Literal["certificate", "service_account", "pod_address", "token", "unix_socket"]
"""What proved it."""

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]{1,255}")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")
_MAX_SPIFFE_ID = 2048
LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
"""A namespace (RFC 1123 label), as a regular expression."""
SUBDOMAIN = rf"{LABEL}(\.{LABEL})*"
"""The name of a service account (RFC 1123 subdomain), as a regular expression."""
_USERNAME = re.compile(rf"system:serviceaccount:({LABEL}):({SUBDOMAIN})")


class Identity(NamedTuple):
    """A proved identity. What the credential does not contain is "".

    `name` is that of a static token; `spiffe_id` and `dns_names` come from a certificate.
    """

    kind: Kind
    namespace: str = ""
    service_account: str = ""
    spiffe_id: str = ""
    dns_names: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        if self.spiffe_id:
            return self.spiffe_id
        if self.service_account:
            return f"service account {self.namespace}/{self.service_account}"
        if self.dns_names:
            return f"certificate of {', '.join(self.dns_names)}"
        return f"token {self.name}" if self.name else "client of the Unix socket"


class SpiffeId(NamedTuple):
    """A SPIFFE ID in parts; `path` begins with a slash, or is "" for the trust domain itself."""

    trust_domain: str
    path: str

    @property
    def workload(self) -> tuple[str, str]:
        """Namespace and service account of the form `/ns/NS/sa/SA`; two empty strings for any other."""
        match self.path.split("/"):
            case ["", "ns", namespace, "sa", account] if re.fullmatch(LABEL, namespace) and re.fullmatch(
                SUBDOMAIN, account
            ):
                return namespace, account
        return "", ""


def parse_spiffe_id(uri: str) -> SpiffeId:
    """A SPIFFE ID in parts. Raises ValueError with the reason (SPIFFE-ID, section 2)."""
    scheme, separator, rest = uri.partition("://")
    if not separator or scheme.lower() != "spiffe":
        raise ValueError("it does not begin with spiffe://")
    if len(uri) > _MAX_SPIFFE_ID:
        raise ValueError(f"it is longer than {_MAX_SPIFFE_ID} bytes")
    domain, slash, path = rest.partition("/")
    if not _TRUST_DOMAIN.fullmatch(domain):
        raise ValueError(
            "its trust domain is not made of lower-case letters, digits, dots, dashes and underscores"
        )
    for segment in path.split("/") if slash else ():
        # Without this `..` could lead out of the namespace that a rule names.
        if not _SEGMENT.fullmatch(segment) or segment in (".", ".."):
            raise ValueError("its path has an empty or relative segment, or a character that is not allowed")
    return SpiffeId(domain, slash + path)


def parse_username(username: str) -> tuple[str, str] | None:
    """Namespace and name of a service account from Kubernetes' user name; None for any other user."""
    match = _USERNAME.fullmatch(username)
    return (match[1], match[3]) if match is not None else None


def of_service_account(namespace: str, account: str) -> Identity:
    """The identity that a service-account token proves."""
    return Identity("service_account", namespace, account)


def of_pod(namespace: str, account: str) -> Identity:
    """The identity that the address of a pod proves: rules apply to it as to that of a token."""
    return Identity("pod_address", namespace, account)


def of_certificate(names: Sequence[str], trust_domains: frozenset[str]) -> Identity:
    """The identity of a verified client certificate, from its names (`URI:…`, `DNS:…`).

    `trust_domains`: those that SPIFFE IDs may be of; empty: any. Raises ValueError where there is none: a certificate
    without a name, with a SPIFFE ID that is broken, of another trust domain or beside a second URI.
    """
    uris = [name.removeprefix("URI:") for name in names if name.startswith("URI:")]
    dns_names = tuple(sorted(name.removeprefix("DNS:").lower() for name in names if name.startswith("DNS:")))
    if not any(uri.lower().startswith("spiffe:") for uri in uris):
        if trust_domains:
            raise ValueError("it has no SPIFFE ID, and authentication.trust_domains asks for one")
        if not dns_names:
            raise ValueError("it has neither a SPIFFE ID nor a DNS name")
        return Identity("certificate", dns_names=dns_names)
    if len(uris) > 1:  # X509-SVID, section 2: more than one URI must be refused
        raise ValueError("it has a SPIFFE ID and another URI name")
    (uri,) = uris
    try:
        spiffe_id = parse_spiffe_id(uri)
    except ValueError as error:
        raise ValueError(f"its SPIFFE ID {uri!r} is broken: {error}") from None
    if trust_domains and spiffe_id.trust_domain not in trust_domains:
        raise ValueError(
            f"its SPIFFE ID {uri} is of trust domain {spiffe_id.trust_domain}, which authentication.trust_domains lacks"
        )
    namespace, account = spiffe_id.workload
    return Identity(
        "certificate", namespace, account, f"spiffe://{spiffe_id.trust_domain}{spiffe_id.path}", dns_names
    )
