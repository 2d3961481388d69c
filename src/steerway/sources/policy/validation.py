"""Validation that every object must pass, from any source.

A Kubernetes API server refuses nearly all of this itself, so these checks speak up for files above all; both sources
apply them, so that no later stage meets port 0, an address that is none, or a regular expression that ends clients.
What is *legal but cannot be served* (UDP ports, FQDN slices, duplicate addresses, routes without a backend) is left
to the catalog.

Rules: API reference, Service v1 and EndpointSlice discovery.k8s.io/v1; Gateway API reference; RFC 1123 for names.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from steerway.config.unit import LABEL
from steerway.sources.objects.core import TCP, Attached, Endpoint, EndpointSlice, Namespace, Service
from steerway.sources.policy import authorization_policy, server_policy, traffic_policy
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.gateway import (
    Filter,
    GRPCMatch,
    GRPCRoute,
    GRPCRule,
    HeaderMatch,
    HeaderModifier,
    HTTPMatch,
    HTTPRoute,
    HTTPRule,
    PathMatch,
    Redirect,
    Rewrite,
)
from steerway.sources.policy.regular_expression import why_not
from steerway.sources.policy.rule import broken_rules
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.sources.policy.traffic_policy import TrafficPolicy
from steerway.sources.policy.validation_error import Path, ValidationError

Validated: TypeAlias = Namespace | Service | EndpointSlice | Attached

PROTOCOLS = (TCP, "UDP", "SCTP")
ADDRESS_TYPES = ("IPv4", "IPv6", "FQDN")
MAX_PORT = 65_535
MAX_ADDRESSES = 100
"""Addresses of one endpoint (EndpointSlice v1, `addresses`: at most 100)."""

_RULES = {
    TrafficPolicy: traffic_policy.RULES,
    ServerPolicy: server_policy.RULES,
    AuthorizationPolicy: authorization_policy.RULES,
}
_LABEL = re.compile(LABEL)
_SUBDOMAIN = re.compile(rf"{_LABEL.pattern}(\.{_LABEL.pattern})*")

# RFC 9110, 5.1: a field name is a token.
_FIELD_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,256}")
_REGULAR = "RegularExpression"
_MAX_CHANGES = 16
_MAX_VALUE = 4096
_MAX_TEXT = 1024
"""As the Gateway API has it: header changes of each kind, characters of a header's value, of a path or parameter."""
_MAX_WEIGHTS = 2**32 - 1
"""gRFC A28: a client refuses weights whose sum does not fit 32 bits."""
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}")


def validation_errors(obj: Validated) -> Iterator[ValidationError]:
    """All faults of an object, in the order of the manifest."""
    yield from _metadata(obj)
    if isinstance(obj, Service):
        yield from _service(obj)
    elif isinstance(obj, EndpointSlice):
        yield from _slice(obj)
    elif isinstance(obj, GRPCRoute | HTTPRoute):
        yield from _route(obj)
    elif (rules := _RULES.get(type(obj))) is not None:
        for path, message in broken_rules(obj, rules):
            yield ValidationError(path, message, "correct it; steerway crd prints what each field means")
    if isinstance(obj, AuthorizationPolicy):
        yield from _authorization(obj)


def port_error(port: int, path: Path) -> ValidationError | None:
    """A fault when `port` is not a port number that a client can connect to."""
    if 1 <= port <= MAX_PORT:
        return None
    return ValidationError(path, f"port {port} is out of range", f"use a number from 1 to {MAX_PORT}")


def address_family(address: str) -> str | None:
    """`IPv4`, `IPv6`, or None when `address` is no IP literal (a zone such as `%eth0` makes it none)."""
    # inet_pton is as strict as the ipaddress module and takes a tenth of the time: a list of a big cluster has
    # a hundred thousand addresses.
    family, name = (socket.AF_INET6, "IPv6") if ":" in address else (socket.AF_INET, "IPv4")
    try:
        socket.inet_pton(family, address)
    except (OSError, ValueError):  # ValueError: a zero byte or a lone surrogate
        return None
    return name


def _metadata(obj: Validated) -> Iterator[ValidationError]:
    meta = obj.metadata
    # Names of Services and Namespaces are one DNS label because clients dial them; the others are never dialled, and
    # may have dots.
    dialled = isinstance(obj, Service | Namespace)
    pattern = _LABEL if dialled else _SUBDOMAIN
    if not pattern.fullmatch(meta.name) or len(meta.name) > 253:
        yield ValidationError(
            ("metadata", "name"),
            f"{meta.name!r} is not a valid name" if meta.name else "the name is empty",
            "use lower-case letters, digits and '-', at most 63 of them"
            if dialled
            else "use lower-case letters, digits, '-' and '.', at most 253 of them",
        )
    if not isinstance(obj, Namespace) and not _LABEL.fullmatch(meta.namespace):
        yield ValidationError(
            ("metadata", "namespace"),
            f"{meta.namespace!r} is not a valid namespace",
            "use lower-case letters, digits and '-', at most 63 of them",
        )


def _service(service: Service) -> Iterator[ValidationError]:
    if service.spec.type == "ExternalName":
        name = service.spec.external_name or ""
        if not _SUBDOMAIN.fullmatch(name.removesuffix(".")) or len(name) > 253:
            reason = f"{name!r} is not a host name" if name else "an ExternalName has no externalName"
            yield ValidationError(
                ("spec", "externalName"), reason, "write a host name in lower case: db.example.org"
            )
    seen: set[tuple[int, str]] = set()
    names: set[str] = set()
    ports = service.spec.ports or []
    for index, port in enumerate(ports):
        path: Path = ("spec", "ports", index)
        if (invalid := port_error(port.port, (*path, "port"))) is not None:
            yield invalid
        yield from _protocol(port.protocol, path)
        if not port.name and len(ports) > 1:
            yield ValidationError((*path, "name"), "a port of several has no name", "name each port")
        if port.name:
            if port.name in names:
                yield ValidationError(
                    (*path, "name"), f"two ports are named {port.name!r}", "give each port its own name"
                )
            names.add(port.name)
        identity = (port.port, port.protocol or TCP)
        if identity in seen:
            yield ValidationError(
                (*path, "port"), f"port {port.port}/{identity[1]} is listed twice", "remove one of them"
            )
        seen.add(identity)


def _slice(slice_: EndpointSlice) -> Iterator[ValidationError]:
    if slice_.address_type not in ADDRESS_TYPES:
        yield ValidationError(
            ("addressType",),
            f"unknown addressType {slice_.address_type!r}",
            f"use {' or '.join(ADDRESS_TYPES)}",
        )
    for index, endpoint in enumerate(slice_.endpoints or []):
        yield from _endpoint(endpoint, slice_.address_type, ("endpoints", index))
    for index, port in enumerate(slice_.ports or []):
        path: Path = ("ports", index)
        # A port without number means "all ports" (EndpointSlice v1, EndpointPort.port): legal, and the
        # catalog's task.
        if port.port is not None and (invalid := port_error(port.port, (*path, "port"))) is not None:
            yield invalid
        yield from _protocol(port.protocol, path)


def _endpoint(endpoint: Endpoint, address_type: str, path: Path) -> Iterator[ValidationError]:
    path = (*path, "addresses")
    if not 1 <= len(endpoint.addresses) <= MAX_ADDRESSES:
        yield ValidationError(
            path,
            f"an endpoint has {len(endpoint.addresses)} addresses",
            f"give it 1 to {MAX_ADDRESSES} addresses",
        )
    if address_type == "FQDN":
        return
    for index, address in enumerate(endpoint.addresses):
        family = address_family(address)
        if family is None:
            yield ValidationError(
                (*path, index), f"{address!r} is not an IP address", "write the address as an IP literal"
            )
        elif family != address_type and address_type in ADDRESS_TYPES:
            yield ValidationError(
                (*path, index),
                f"{address} is {family}, the addressType of the slice is {address_type}",
                "put each address family into a slice of its own",
            )


def _protocol(protocol: str | None, path: Path) -> Iterator[ValidationError]:
    if protocol and protocol not in PROTOCOLS:
        yield ValidationError(
            (*path, "protocol"), f"unknown protocol {protocol!r}", f"use {', '.join(PROTOCOLS)}"
        )


def _route(route: GRPCRoute | HTTPRoute) -> Iterator[ValidationError]:
    rules: Sequence[GRPCRule | HTTPRule] = route.spec.rules or []
    for number, rule in enumerate(rules):
        matches: Sequence[GRPCMatch | HTTPMatch] = rule.matches or []
        for index, match in enumerate(matches):
            path: Path = ("spec", "rules", number, "matches", index)
            yield from _grpc_match(match, path) if isinstance(match, GRPCMatch) else _http_match(match, path)
        yield from _filters(rule.filters, ("spec", "rules", number, "filters"))
        if sum(backend.weight for backend in rule.backend_refs or []) > _MAX_WEIGHTS:
            yield ValidationError(
                ("spec", "rules", number, "backendRefs"),
                f"the weights add up to more than {_MAX_WEIGHTS}",
                "divide all weights by the same number",
            )
        for index, backend in enumerate(rule.backend_refs or []):
            item_path: Path = ("spec", "rules", number, "backendRefs", index, "filters")
            yield from _filters(backend.filters, item_path)


def _authorization(policy: AuthorizationPolicy) -> Iterator[ValidationError]:
    """Regular expressions, which no schema validates."""
    for number, rule in enumerate(policy.spec.rules or []):
        for index, header in enumerate(rule.headers or []):
            if header.type == _REGULAR and header.value:
                yield from _regular(header.value, ("spec", "rules", number, "headers", index, "value"))


def _grpc_match(match: GRPCMatch, path: Path) -> Iterator[ValidationError]:
    if (method := match.method) is not None and method.type == _REGULAR:
        for field, value in (("service", method.service), ("method", method.method)):
            if value is not None:
                yield from _regular(value, (*path, "method", field))
    yield from _header_matches(match.headers, (*path, "headers"))


def _http_match(match: HTTPMatch, path: Path) -> Iterator[ValidationError]:
    if match.path is not None:
        yield from _path_match(match.path, (*path, "path", "value"))
    yield from _header_matches(match.headers, (*path, "headers"))
    for index, parameter in enumerate(match.query_params or []):
        if not parameter.name:
            yield ValidationError(
                (*path, "queryParams", index, "name"), "the name is empty", "write the parameter's name"
            )
        for field in ("name", "value"):
            yield from _text(getattr(parameter, field), (*path, "queryParams", index, field))
        yield from _value(parameter, (*path, "queryParams", index, "value"), _MAX_TEXT)


def _path_match(match: PathMatch, path: Path) -> Iterator[ValidationError]:
    if match.type == _REGULAR:
        yield from _regular(match.value, path)
        return
    yield from _text(match.value, path)
    if not match.value.startswith("/") or {"?", "#"} & set(match.value):
        yield ValidationError(
            path, f"{match.value!r} is not a path", "begin it with '/', and leave out '?' and '#'"
        )


def _filters(filters: list[Filter] | None, path: Path) -> Iterator[ValidationError]:
    """One that Envoy would refuse costs every Envoy all routes, those of other namespaces among them."""
    for index, route_filter in enumerate(filters or []):
        item_path = (*path, index)
        yield from _modifier(route_filter.request_header_modifier, (*item_path, "requestHeaderModifier"))
        yield from _modifier(route_filter.response_header_modifier, (*item_path, "responseHeaderModifier"))
        yield from _changed(route_filter.url_rewrite, (*item_path, "urlRewrite"))
        yield from _changed(route_filter.request_redirect, (*item_path, "requestRedirect"))
        if route_filter.request_redirect is not None:
            yield from _redirect(route_filter.request_redirect, (*item_path, "requestRedirect"))


def _modifier(modifier: HeaderModifier | None, path: Path) -> Iterator[ValidationError]:
    if modifier is None:
        return
    for field in ("set", "add"):
        headers = getattr(modifier, field) or []
        yield from _few(headers, (*path, field))
        for index, header in enumerate(headers):
            yield from _changeable(header.name, (*path, field, index, "name"))
            yield from _text(header.value, (*path, field, index, "value"), _MAX_VALUE)
    yield from _few(modifier.remove or [], (*path, "remove"))
    for index, name in enumerate(modifier.remove or []):
        yield from _changeable(name, (*path, "remove", index))


def _few(values: Sequence[object], path: Path) -> Iterator[ValidationError]:
    if len(values) > _MAX_CHANGES:
        yield ValidationError(
            path, f"the list has more than {_MAX_CHANGES} items", f"list {_MAX_CHANGES} at the most"
        )


def _changeable(name: str, path: Path) -> Iterator[ValidationError]:
    if not _FIELD_NAME.fullmatch(name):
        yield ValidationError(
            path, f"{name!r} is not the name of a header", "use letters, digits and '-', at most 256 of them"
        )
    elif name.lower() == "host":
        yield ValidationError(
            path, "Host cannot be changed like other headers", "write urlRewrite with a hostname"
        )


def _changed(change: Rewrite | Redirect | None, path: Path) -> Iterator[ValidationError]:
    if change is None:
        return
    if change.hostname is not None and not _HOST.fullmatch(change.hostname):
        yield ValidationError(
            (*path, "hostname"), f"{change.hostname!r} is not a host name", "write a name as DNS has it"
        )
    if change.path is not None:
        for field, value in (
            ("replaceFullPath", change.path.replace_full_path),
            ("replacePrefixMatch", change.path.replace_prefix_match),
        ):
            yield from _text(value or "", (*path, "path", field))


def _redirect(redirect: Redirect, path: Path) -> Iterator[ValidationError]:
    if redirect.scheme not in (None, "http", "https"):
        yield ValidationError((*path, "scheme"), f"unknown scheme {redirect.scheme!r}", "use http, https")
    if redirect.port is not None and not 1 <= redirect.port <= MAX_PORT:
        yield ValidationError(
            (*path, "port"), f"port {redirect.port} does not exist", f"use a number from 1 to {MAX_PORT}"
        )


def _text(value: str, path: Path, most: int = _MAX_TEXT) -> Iterator[ValidationError]:
    if _CONTROL.search(value):
        yield ValidationError(
            path, "control characters are not allowed", "write it without line ends and the like"
        )
    if len(value) > most:
        yield ValidationError(
            path, f"it has more than {most} characters", f"write {most} characters at the most"
        )


def _header_matches(headers: list[HeaderMatch] | None, path: Path) -> Iterator[ValidationError]:
    for index, header in enumerate(headers or []):
        if not _FIELD_NAME.fullmatch(header.name):
            yield ValidationError(
                (*path, index, "name"),
                f"{header.name!r} is not the name of a header",
                "use letters, digits and '-', at most 256 of them",
            )
        yield from _value(header, (*path, index, "value"), _MAX_VALUE)


def _value(match: HeaderMatch, path: Path, most: int) -> Iterator[ValidationError]:
    """A value to compare with (HTTPHeaderMatch, GRPCHeaderMatch, HTTPQueryParamMatch: `value` has a minLength of 1)."""
    if match.type == _REGULAR:
        yield from _regular(match.value, path)
    elif not match.value:
        hint = "write a value, or use type RegularExpression with '.*' for any"
        yield ValidationError(path, "the value is empty", hint)
    elif len(match.value) > most:
        yield ValidationError(
            path, f"it has more than {most} characters", f"write {most} characters at the most"
        )


def _regular(expression: str, path: Path) -> Iterator[ValidationError]:
    if reason := why_not(expression):
        yield ValidationError(
            path,
            f"not a regular expression that clients can use: {reason}",
            "write it in RE2 syntax (https://github.com/google/re2/wiki/Syntax), at most 1024 characters",
        )
