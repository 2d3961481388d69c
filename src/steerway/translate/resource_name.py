"""Client targets and resource names: which port of which service a name means.

A target is what stands behind `xds:///`: a service name as in Kubernetes DNS, at any length, with an optional port
number or port name; a dot at the end of the host makes no difference (RFC 1034, 3.1). A resource name is the canonical
form of it, which routes, clusters and assignments carry: `[POD.]SERVICE.NAMESPACE.svc.DOMAIN:NUMBER`, without
`:NUMBER` for a port that has none (a Service of the short mapping). Routes and clusters of grpc-js have that with a
mark of the Service object (`of_object`), which the library needs to see the return of what was removed.

Parsing needs no catalog, so that the name of a service which does not exist yet can be waited for.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from steerway.catalog.model.mesh import ANY_PORT, Port, Service, ServiceId
from steerway.errors import TranslateError
from steerway.text import bounded

_WORD = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?")
"""Wider than a DNS label, because the short mapping format takes such names."""
_MAX_PORT = 65_535
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")
_MAX_NAME = 253 + 1 + 1 + 15  # a DNS name, its final dot, a colon, and a port name (RFC 6335)
_MARK_BYTES = 6
_MARK = re.compile(rf"~[0-9a-f]{{{2 * _MARK_BYTES}}}\Z")
_ANY_NUMBER = "it states no port number, so that a target may have any or none"
_GRPC_PROTOCOLS = ("grpc", "kubernetes.io/h2c")


@dataclass(frozen=True, slots=True)
class Target:
    """What a name asks for. `port` is a number, a name, or "" for none; `pod` is a host name or ""."""

    service: ServiceId
    port: str = ""
    pod: str = ""

    def canonical(self, number: int, domain: str) -> str:
        """The resource name of one port of it."""
        pod = f"{self.pod}." if self.pod else ""
        port = "" if number == ANY_PORT else f":{number}"
        return f"{pod}{self.service.name}.{self.service.namespace}.svc.{domain}{port}"


def of_target(target: str) -> tuple[str, str]:
    """The authority ("": none) and the name of a client's target: `xds:///NAME`, `xds://AUTHORITY/NAME`, or a bare
    name. TranslateError: it has another scheme, or no name."""
    if not target:
        raise TranslateError("the target is empty: dial xds:///SERVICE.NAMESPACE:PORT")
    scheme, separator, rest = target.partition("://")
    if not separator:
        return "", target
    authority, _, name = rest.partition("/")
    if scheme != "xds":
        shown = bounded(target, _MAX_NAME)
        raise TranslateError(
            f"{shown!r} has the scheme {bounded(scheme, _MAX_NAME)!r}: only xds targets come from the control plane,"
            f" dial xds:///{bounded(name or authority or 'SERVICE.NAMESPACE:PORT', _MAX_NAME)}"
        )
    if not name:
        raise TranslateError(
            f"{bounded(target, _MAX_NAME)!r} has no name: dial xds:///{bounded(authority, _MAX_NAME) or 'SERVICE'},"
            " with three slashes"
        )
    return authority, name


def parse_target(name: str, namespace: str, domain: str) -> Target:
    """What a client's target means to a client in `namespace`. TranslateError: it means nothing."""
    if len(name) > _MAX_NAME:
        raise TranslateError(f"the name is longer than {_MAX_NAME} characters")
    if name.startswith("xdstp:"):
        raise TranslateError("xdstp names are not served yet; dial xds:///SERVICE.NAMESPACE:PORT")
    host, colon, port = name.partition(":")
    if colon and not port:
        raise TranslateError(f"no port after the colon in {name!r}")
    if port.isascii() and port.isdecimal() and not 1 <= int(port) <= _MAX_PORT:
        raise TranslateError(f"port {port} in {name!r} is out of range: use 1 to {_MAX_PORT}")
    labels = _without_domain(host.removesuffix(".").split("."), domain)
    for label in labels:
        if not _WORD.fullmatch(label):
            fault = f"{label!r} in {name!r} is no DNS label" if label else f"{name!r} has an empty label"
            raise TranslateError(fault)
    match labels:
        case [service]:
            return Target(ServiceId(namespace, service), port)
        case [service, namespace]:
            return Target(ServiceId(namespace, service), port)
        case [pod, service, namespace]:
            return Target(ServiceId(namespace, service), port, pod)
    raise TranslateError(
        f"{name!r} is no name of a service: expected SERVICE, SERVICE.NAMESPACE or that with .svc.{domain}"
    )


def needs_namespace(name: str) -> bool:
    """Whether the target means different services to clients in different namespaces."""
    return "." not in name.partition(":")[0].removesuffix(".")


def parse_canonical(name: str, domain: str) -> Target:
    """The target that a canonical resource name stands for. TranslateError when it is none."""
    host, colon, port = name.partition(":")
    if host.endswith(f".svc.{domain}") and (_NUMBER.fullmatch(port) if colon else True):
        number = int(port) if colon else ANY_PORT
        target = replace(parse_target(host, "", domain), port=str(number))
        if target.canonical(number, domain) == name:
            return target
    shown = bounded(name, _MAX_NAME)
    raise TranslateError(
        f"only SERVICE.NAMESPACE.svc.{domain}:PORTNUMBER is a name of this type, and no file gives '{shown}'"
    )


def of_object(name: str, uid: str) -> str:
    """A canonical name as that of one Service object: `NAME~MARK`, with a mark made of the UID, so that all replicas
    agree. The name itself without a UID."""
    if not uid:
        return name
    return f"{name}~{hashlib.blake2b(uid.encode(), digest_size=_MARK_BYTES).hexdigest()}"


def without_object(name: str) -> str:
    """The canonical name in one of an object; other names as they are."""
    return _MARK.sub("", name)


LeftOut = Callable[[ServiceId], str]
"""What leaves an existing Service out of the scope, as the end of a sentence; "" where nothing does."""


def nothing_left_out(_: ServiceId) -> str:
    return ""


def unknown(service: ServiceId, left_out: LeftOut = nothing_left_out) -> str:
    """Why a name of a service that is not served means nothing."""
    if reason := left_out(service):
        return f"service {service} {reason}, so it is not served"
    capital = str(service) != str(service).lower()
    hint = "; it has capital letters, and names in Kubernetes are lower-case" if capital else ""
    return f"service {service} not found{hint}"


def select_port(service: Service, port: str) -> Port:
    """The port that a target means; see `choose_port`."""
    return choose_port(service, port)[0]


def choose_port(service: Service, port: str) -> tuple[Port, str]:
    """The port that a target means, and why. TranslateError when there is none such, or more than one.

    Without a port: the only one; else the one named `grpc`; else the only one that looks like gRPC by its name
    (`grpc-…`) or appProtocol; else the first. An external name has every port, whether the Service lists it or not; a
    Service of the short mapping has one that every number means, unless its key names the port.
    """
    if port:
        named = _named_port(service, port)
        return named, _ANY_NUMBER if named.number == ANY_PORT else "the target names it"
    if not service.ports:
        raise TranslateError(
            f"service {service.id} is an external name without ports; add :PORT to the target"
        )
    if len(service.ports) == 1:
        only = service.ports[0]
        return only, _ANY_NUMBER if only.number == ANY_PORT else "it is the only port"
    for candidate in service.ports:
        if candidate.name == "grpc":
            return candidate, "it is named grpc"
    candidates = [p for p in service.ports if p.name.startswith("grpc-") or p.app_protocol in _GRPC_PROTOCOLS]
    if len(candidates) > 1:
        raise TranslateError(
            f"service {service.id} has several gRPC ports ({_list(candidates)}); add :PORT to the target"
        )
    if candidates:
        return candidates[0], "it is the only one whose name or appProtocol is gRPC"
    return service.ports[0], "it is the first port, and none is marked as gRPC"


def _named_port(service: Service, port: str) -> Port:
    for wanted in service.ports:
        if port in (str(wanted.number), wanted.name):
            return wanted
    is_number = bool(_NUMBER.fullmatch(port)) and int(port) <= _MAX_PORT
    any_port = next((candidate for candidate in service.ports if candidate.number == ANY_PORT), None)
    if any_port is not None and is_number:
        return any_port
    if service.external_name and is_number:
        return service.port(int(port)) or Port(int(port))
    raise TranslateError(f"service {service.id} has no TCP port {port}; it has {_list(service.ports)}")


def _without_domain(labels: list[str], domain: str) -> list[str]:
    """The labels in front of `.svc.DOMAIN` or `.svc`, when at least SERVICE.NAMESPACE stands there."""
    for suffix in (["svc", *domain.split(".")], ["svc"]):
        if len(labels) >= len(suffix) + 2 and labels[-len(suffix) :] == suffix:
            return labels[: -len(suffix)]
    return labels


def _list(ports: "tuple[Port, ...] | list[Port]") -> str:
    return ", ".join(port.label for port in ports)
