"""Whether the servers of a service accept a call: by its policies, and not by what servers have acknowledged.

Servers that other Services select, too, have the policies of those as well; the answer is about the one that is asked
for.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from steerway.catalog.catalog import Catalog
from steerway.catalog.model.identity import spiffe_id
from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.model.security import ServerConfiguration, TlsMode
from steerway.catalog.routing.attachment import Get
from steerway.catalog.security.evaluator import Decision, Request, decide
from steerway.errors import TranslateError

NO_CERTIFICATE = "none"
"""The caller that has no certificate."""
_ACCOUNT = re.compile(r"([a-z0-9]([-a-z0-9]*[a-z0-9])?)/([a-z0-9]([-a-z0-9.]*[a-z0-9])?)")
_SPIFFE = re.compile(r"spiffe://[a-z0-9._-]+(/[A-Za-z0-9._-]+)*")
_PATH = re.compile(r"/?([A-Za-z_][A-Za-z0-9_.]*)/([A-Za-z_][A-Za-z0-9_]*)")
_HEADER = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)=(.*)")


@dataclass(frozen=True, slots=True)
class Access:
    """`configuration`: of servers of a service alone, by the port that they listen on."""

    configuration: Callable[[ServiceId, int], ServerConfiguration]
    trust_domain: str

    def explain(self, service: Service, port: Port, caller: str, method: str, headers: str) -> dict[str, Any]:
        """The answer for a caller (`NAMESPACE/ACCOUNT`, a SPIFFE ID, or `none`), a method (`package.Service/Method`)
        and headers (`NAME=VALUE,NAME=VALUE`). TranslateError: one of them is invalid."""
        asked = Request(principal(caller, self.trust_domain), _path(method), dict(_headers(headers)))
        # Servers behind a port may listen on different numbers: the answer is about the strictest.
        numbers = sorted({endpoint.port for endpoint in port.endpoints} or {port.number})
        answers = [
            (number, configuration, *_decided(configuration, asked))
            for number in numbers
            for configuration in (self.configuration(service.id, number),)
        ]
        number, configuration, decision, seen = min(answers, key=lambda answer: answer[2].allowed)
        origins = dict(configuration.origins)
        return {
            "from": asked.principal or None,
            "seen_as": seen or None,
            "method": asked.path,
            "headers": dict(asked.headers),
            "port": number,
            "tls": {"mode": configuration.tls.name.capitalize(), "source": origins.get("tls")},
            "allowed": decision.allowed,
            "by": decision.by,
            "audited": list(decision.audited),
            "notes": [*_notes(configuration, asked, seen)],
        }


def of_catalog(catalog: Catalog, get: Get) -> Access:
    """By the policies of a catalog."""

    def configuration(id: ServiceId, port: int) -> ServerConfiguration:
        workload = catalog.servers.claimed((id.name,))
        return catalog.server_configuration(get, id.namespace, workload, port)

    return Access(configuration, catalog.servers.defaults.trust_domain)


def principal(caller: str, trust_domain: str) -> str:
    """The SPIFFE ID of a caller; "" for `none`. TranslateError: it is neither."""
    if caller == NO_CERTIFICATE:
        return ""
    if (account := _ACCOUNT.fullmatch(caller)) is not None:
        return spiffe_id(trust_domain, account[1], account[3])
    if _SPIFFE.fullmatch(caller) is not None:
        return caller
    raise TranslateError(
        f"{caller!r} is no caller: write NAMESPACE/ACCOUNT, a SPIFFE ID, or {NO_CERTIFICATE} for one without a"
        " certificate"
    )


def _path(method: str) -> str:
    parts = _PATH.fullmatch(method)
    if parts is None:
        raise TranslateError(f"{method!r} is no method: write it as package.Service/Method")
    return f"/{parts[1]}/{parts[2]}"


def _headers(text: str) -> Iterator[tuple[str, str]]:
    for item in text.split(",") if text else ():
        header = _HEADER.fullmatch(item)
        if header is None:
            raise TranslateError(f"{item!r} is no header: write NAME=VALUE, several with commas")
        yield header[1].lower(), header[2]


def _decided(configuration: ServerConfiguration, asked: Request) -> tuple[Decision, str]:
    """The decision, and the identity that servers see of the caller."""
    if configuration.fault:
        return Decision(False, configuration.fault), ""
    seen = "" if configuration.tls is TlsMode.OFF else asked.principal
    if configuration.tls is TlsMode.STRICT and not seen:
        source = dict(configuration.origins).get("tls", "")
        return Decision(False, f"clients without a certificate are refused, by {source}"), ""
    return decide(configuration.authorization, Request(seen, asked.path, asked.headers)), seen


def _notes(configuration: ServerConfiguration, asked: Request, seen: str) -> Iterator[str]:
    if configuration.tls is TlsMode.OFF and asked.principal:
        yield "servers see no identity of callers without TLS"
    if configuration.tls is TlsMode.PERMISSIVE and seen:
        yield "servers of grpc-go do not ask for certificates with mode Permissive: there the caller has no identity"
    if configuration.authorization.enforces and configuration.serve_unsupported:
        yield "servers whose library has no authorization (grpc-js) accept every call"
