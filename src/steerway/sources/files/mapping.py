"""The short mapping: `SERVICE: {zone: [{ip, port, zone}]}`, a superset of that of k8s-xds.

A key is `name`, `name.namespace` or `namespace/name`, each with an optional `:port`; without a namespace it is in the
default one. Each service becomes a headless Service with one unnamed port, and one EndpointSlice for each address
family and port number that its endpoints have.

Without a port in its key, the Service has `ANY_PORT`: a number taken from the endpoints would rename the cluster
whenever they move, and grpc-go fails the calls of the moment in which a route turns to another cluster.

No API server validates this format: an unknown key is an error that names its line.
"""

import difflib
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from steerway.sources.files.entry import Entry, Origin
from steerway.sources.objects.core import (
    ANY_PORT,
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from steerway.sources.policy.validation import address_family, port_error
from steerway.sources.policy.validation_error import Path, ValidationError

FILE_STEM = "mapping"
"""A file of this name is a mapping; elsewhere the top-level key `mapping` makes it one."""

_PROTOCOL = "grpc"
"""appProtocol of every port: the format is for gRPC servers, and has no port names that state a protocol."""
_FIELDS = ("ip", "port", "zone")
# Looser than Kubernetes' rule, because k8s-xds takes any word.
_NAME = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_NUMBER = re.compile("[0-9]{1,20}")
_MOST_CHARACTERS = 63
_FORMS = "write SERVICE, SERVICE.NAMESPACE or NAMESPACE/SERVICE, each with an optional :PORT"


class _Key(NamedTuple):
    subject: ObjectKey
    port: int


class _Address(NamedTuple):
    ip: str
    family: str
    port: int
    zone: str


class _InvalidValueError(Exception):
    def __init__(self, invalid: ValidationError) -> None:
        super().__init__(str(invalid))
        self.invalid = invalid


def is_mapping(value: Any, stem: str) -> bool:
    """Whether a document is a mapping, by its file's name or by its only key."""
    return isinstance(value, dict) and (stem == FILE_STEM or set(value) == {"mapping"})


def read_mapping(value: dict[str, Any], path: Path, origin: Origin) -> Iterator[Entry]:
    """The entries of a mapping, one for each service. `path` is its ip_path in the document."""
    if set(value) == {"mapping"} and not _is_service(value["mapping"]):
        path = (*path, "mapping")
        value = value["mapping"] if value["mapping"] is not None else {}
        if not isinstance(value, dict):
            invalid = ValidationError(
                (), "expected services under mapping", "write mapping: {service: {zone: [...]}}"
            )
            yield origin.broken(path, invalid, FILE_STEM)
            return
    for name, zones in value.items():
        yield from origin.attempt(_read_service, zones, (*path, name))


def _read_service(zones: Any, path: Path, origin: Origin) -> Iterator[Entry]:
    """The entry of the service that the last step of `path` names."""
    try:
        key = _key(str(path[-1]), origin.namespace)
    except _InvalidValueError as error:
        yield origin.broken(path, error.invalid, FILE_STEM)
        return
    try:
        objects = _objects(key, zones)
    except _InvalidValueError as error:
        yield origin.broken(path, error.invalid, FILE_STEM, key.subject)
    else:
        yield origin.good(path, key.subject, *objects, kind=FILE_STEM)


def _key(text: str, default_namespace: str) -> _Key:
    """The service and the port of a key. Raises _InvalidValueError."""
    host, colon, number = text.partition(":")
    namespace, slash, name = host.partition("/")
    if not slash:
        name, dot, namespace = host.partition(".")
        namespace = namespace if dot else default_namespace
    if not _NAME.fullmatch(name) or len(name) > _MOST_CHARACTERS:
        raise _InvalidValueError(ValidationError((), f"{name!r} in {text!r} is not a service name", _FORMS))
    if not _NAMESPACE.fullmatch(namespace) or len(namespace) > _MOST_CHARACTERS:
        raise _InvalidValueError(ValidationError((), f"{namespace!r} in {text!r} is not a namespace", _FORMS))
    if colon and not _NUMBER.fullmatch(number):
        raise _InvalidValueError(ValidationError((), f"{number!r} in {text!r} is not a port number", _FORMS))
    port = int(number) if colon else ANY_PORT
    if colon and (invalid := port_error(port, ())) is not None:
        raise _InvalidValueError(invalid)
    return _Key(ObjectKey("Service", namespace, name), port)


def _is_service(value: Any) -> bool:
    """Whether the value of a lone key `mapping` is that of a service of this name: lists below its keys."""
    return (
        isinstance(value, dict) and bool(value) and all(isinstance(inner, list) for inner in value.values())
    )


def _objects(key: _Key, zones: Any) -> list[Service | EndpointSlice]:
    subject = key.subject
    metadata = ServiceMeta(name=subject.name, namespace=subject.namespace)
    spec = ServiceSpec(ports=[ServicePort(port=key.port, app_protocol=_PROTOCOL)], cluster_ip="None")
    groups: dict[tuple[str, int], list[Endpoint]] = {}
    for address in _addresses(zones):
        endpoint = Endpoint(addresses=[address.ip], zone=address.zone or None)
        groups.setdefault((address.family, address.port), []).append(endpoint)
    slices = [
        EndpointSlice(
            metadata=ObjectMeta(
                name=f"{subject.name}-{family.lower()}-{number}",
                namespace=subject.namespace,
                labels={SERVICE_NAME_LABEL: subject.name},
            ),
            address_type=family,
            endpoints=endpoints,
            ports=[EndpointPort(port=number)],
        )
        for (family, number), endpoints in sorted(groups.items())
    ]
    return [Service(metadata=metadata, spec=spec), *slices]


def _addresses(zones: Any) -> Iterator[_Address]:
    if zones is None:
        return
    if not isinstance(zones, dict):
        raise _InvalidValueError(
            ValidationError((), "expected zones", "write service: {zone: [{ip, port, zone}]}")
        )
    for zone, endpoints in zones.items():
        if endpoints is None:
            continue
        if not isinstance(endpoints, list):
            raise _InvalidValueError(
                ValidationError((zone,), "expected a list of endpoints", "write zone: [{ip, port, zone}]")
            )
        for index, endpoint in enumerate(endpoints):
            yield _address(endpoint, zone, (zone, index))


def _address(value: Any, zone: str, path: Path) -> _Address:
    if not isinstance(value, dict):
        raise _InvalidValueError(
            ValidationError(path, "expected an endpoint", "write {ip: 10.0.0.1, port: 50051, zone: a}")
        )
    for key in value:
        if key not in _FIELDS:
            similar_names = difflib.get_close_matches(key, _FIELDS, n=1)
            hint = (
                f"did you mean {similar_names[0]}?" if similar_names else f"known keys: {', '.join(_FIELDS)}"
            )
            raise _InvalidValueError(ValidationError((*path, key), f"unknown key {key!r}", hint))
    ip, port, own_zone = value.get("ip"), value.get("port"), value.get("zone")
    if not isinstance(ip, str) or (family := address_family(ip)) is None:
        ip_path = (*path, "ip") if "ip" in value else path
        reason = f"{ip!r} is not an IP address" if "ip" in value else "ip is missing"
        raise _InvalidValueError(ValidationError(ip_path, reason, "write ip: an IP literal"))
    if not isinstance(port, int) or isinstance(port, bool):
        ip_path = (*path, "port") if "port" in value else path
        reason = f"{port!r} is not a port number" if "port" in value else "port is missing"
        raise _InvalidValueError(ValidationError(ip_path, reason, "write port: a number"))
    if (invalid := port_error(port, (*path, "port"))) is not None:
        raise _InvalidValueError(invalid)
    if own_zone is not None and (isinstance(own_zone, bool) or not isinstance(own_zone, str | int)):
        raise _InvalidValueError(
            ValidationError((*path, "zone"), f"{own_zone!r} is not a zone", "write zone: a string")
        )
    return _Address(ip, family, port, zone if own_zone is None else str(own_zone))
