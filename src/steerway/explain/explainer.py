"""From a target and a client to facts, policy, the resources that the client receives, and its limitations.

Resources are requested as the client would, from the listener on along the names in each one, so that the answer is
what is served. The admin server adds the connected clients.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from envoy.config.endpoint.v3 import endpoint_pb2

from steerway.catalog.locality.client_locality import PodLocality, locate
from steerway.catalog.model.mesh import Port, Service, ServiceId
from steerway.catalog.service.metadata import ServiceMetadata
from steerway.errors import TranslateError, UnknownServiceError
from steerway.explain import fact, limitation, wording
from steerway.explain.access import Access
from steerway.translate import destination, resource_name
from steerway.translate.answer import Content, Reason
from steerway.translate.client import client as clients
from steerway.translate.client.audience import (
    Audience,
    Width,
    at_locality,
    encode,
    is_locality,
    is_namespace,
    of_client,
)
from steerway.translate.client.client import Client
from steerway.translate.client.library import Library
from steerway.translate.destination import Find
from steerway.translate.xds import endpoint, type_url

_MOST_COMPARED = 2000
_MOST_NEAREST = 5
_MOST_RESOURCES = 200
"""So that no request blocks the control plane: names that are compared and listed, and resources of a route with very
many backends, whose facts list them all."""


class Question(NamedTuple):
    """A request; "" for what is not given. `client` is such as `grpc-go/1.70`. `caller`, `method` and `headers`: a call
    of which it is asked whether servers accept it (`access`)."""

    target: str
    namespace: str = ""
    zone: str = ""
    node: str = ""
    client: str = ""
    caller: str = ""
    method: str = ""
    headers: str = ""


class Connected(NamedTuple):
    """The client of a stream, and its audience."""

    client: Client
    audience: Audience


class Case(NamedTuple):
    """A parsed question: the service port that the target means to a client of this audience."""

    target: resource_name.Target
    service: Service
    port: Port
    why: str
    client: Client
    audience: Audience

    @property
    def namespace(self) -> str:
        """In which the client looks up short names."""
        return self.audience.namespace

    @property
    def envoy(self) -> bool:
        return self.client.library is Library.ENVOY


@dataclass(frozen=True, slots=True)
class Explainer:
    """`known`: all services in the scope, to suggest similar names; `left_out`: what leaves one out. `preview` is
    `Translator.preview`. `topology`: the setting. `access`: whether servers accept a call."""

    find: Find
    known: Callable[[], Iterable[Service]]
    metadata: Callable[[ServiceId], ServiceMetadata]
    preview: Callable[[str, str, Audience], Content]
    topology: str
    domain: str
    namespace: str
    buckets: int
    access: Access
    left_out: resource_name.LeftOut = resource_name.nothing_left_out

    def explain(self, question: Question) -> dict[str, Any]:
        """The document, with serialised bodies. TranslateError: the question is invalid. UnknownServiceError: no such
        service."""
        case = self.case(question)
        resources = self.resources(question, case)
        return {
            "target": {
                "asked": question.target,
                "service": str(case.service.id),
                "port": case.port.number or None,
                "port_name": case.port.name or None,
                "pod": case.target.pod or None,
                "why": case.why,
                "name": case.target.canonical(case.port.number, self.domain),
            },
            "facts": fact.of(
                case.service,
                case.port,
                self.metadata(case.service.id),
                case.namespace,
                self.find,
                envoy=case.envoy,
            ),
            "policy": wording.sections(case.port.policy),
            "access": self._access(question, case),
            "client": self._client(case, resources),
            "resources": resources,
        }

    def case(self, question: Question, connected: Connected | None = None) -> Case:
        """What a question means, for the client in it, or for one that is connected; errors as of `explain`."""
        check(question)
        supposed = clients.parse(question.client) if question.client else Client()
        authority, name = resource_name.of_target(question.target)
        if authority:
            raise TranslateError(
                f"{question.target!r} has the authority {authority!r}: clients request it as an xdstp name, which only"
                " files give"
            )
        asked_in = connected.audience.namespace if connected is not None else question.namespace
        target = resource_name.parse_target(name, asked_in or self.namespace, self.domain)
        service = self.find(target.service)
        if service is None or service.outside:
            reason = resource_name.unknown(target.service, self.left_out)
            left_out = self.left_out(target.service)
            raise UnknownServiceError(reason, [] if left_out else self._nearest(target.service))
        port, why = resource_name.choose_port(service, target.port)
        namespace = question.namespace or service.id.namespace
        client, audience = connected or self._supposed(supposed, question, namespace)
        return Case(target, service, port, why, client, audience)

    def _supposed(self, client: Client, question: Question, namespace: str) -> Connected:
        """The client of a question."""
        locality = locate(self.topology, PodLocality(node=question.node), question.zone)
        bucket = 0 if self.buckets else None
        return Connected(client, at_locality(of_client(client, namespace), locality, bucket))

    def resources(self, question: Question, case: Case) -> list[dict[str, Any]]:
        """The resources that the client receives, with serialised bodies."""
        return [*self._resources(self._first(question, case), case.audience)]

    def limitations(self, case: Case) -> list[str]:
        """Sentences about what the client does not support."""
        service, port, client = case.service, case.port, case.client
        if not case.target.pod:
            return [*limitation.of(service, port, case.namespace, self.find, client)]
        calls = limitation.of_calls(service, port, case.namespace, self.find, client, pod=True)
        return [*calls, *limitation.of_endpoints(service, port, client)]

    def _first(self, question: Question, case: Case) -> list[tuple[str, str]]:
        """The resources that a client requests first. The listener and routes of an Envoy are of all services alike."""
        if not case.envoy:
            return [(type_url.LISTENER, resource_name.of_target(question.target)[1])]
        destinations = destination.resolve(
            case.service, case.port, case.namespace, self.find, self.domain, envoy=True
        )
        clusters = {share.cluster for target in destinations for share in target.shares} - {
            destination.BLACKHOLE
        }
        return [(type_url.CLUSTER, cluster) for cluster in sorted(clusters)]

    def _access(self, question: Question, case: Case) -> dict[str, Any] | None:
        """Whether servers accept the call of a question; None where it has none."""
        if not question.caller and not question.method:
            return None
        if not question.caller or not question.method:
            raise TranslateError("give both the caller (--from) and the method")
        return self.access.explain(
            case.service, case.port, question.caller, question.method, question.headers
        )

    def _client(self, case: Case, resources: Iterable[dict[str, Any]]) -> dict[str, Any]:
        clusters = [_cluster(resource) for resource in resources if resource["type_url"] == type_url.ENDPOINT]
        return {
            "name": str(case.client),
            "namespace": case.namespace,
            "zone": case.audience.locality.zone or None,
            "node": case.audience.locality.node or None,
            # A bucket depends on the very client.
            "audience": encode(case.audience.widened(Width.NODE)),
            "limitations": self.limitations(case),
            "clusters": clusters,
            "subset": self._subset(case.port, clusters),
        }

    def _subset(self, port: Port, clusters: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
        """The number of endpoints; which ones depends on the client's bucket."""
        if port.policy.subset is None:
            return None
        localities = clusters[0]["localities"] if clusters and self.buckets else []
        size = sum(locality["endpoints"] for locality in localities if locality["priority"] == 0)
        return {"followed": bool(self.buckets), "size": size, "buckets": self.buckets}

    def _resources(self, start: Iterable[tuple[str, str]], audience: Audience) -> Iterator[dict[str, Any]]:
        """The first ones, and the resources that they refer to, each once."""
        wanted = dict.fromkeys(start)
        for served, resource in _growing(wanted):
            content = self.preview(served, resource, audience)
            row: dict[str, Any] = {
                "type_url": served,
                "name": resource,
                "audience": encode(audience),
                "absent": None,
                "body": None,
            }
            if isinstance(content, Reason):
                yield row | {"absent": str(content)}
                continue
            if len(wanted) < _MOST_RESOURCES:
                wanted |= dict.fromkeys(content.references)
            yield row | {"body": content.body}

    def _nearest(self, asked: ServiceId) -> list[str]:
        """Those of the same name elsewhere, the one whose name and namespace are the other way round, and those of a
        similar name in its namespace, or in similar namespaces when there is nothing else: to compare with all there
        are would take too long."""
        same: list[ServiceId] = []
        known: dict[str, list[str]] = {}
        for service in self.known():
            known.setdefault(service.id.namespace, []).append(service.id.name)
            if service.id.name == asked.name:
                same.append(service.id)
        reverse = ServiceId(asked.name, asked.namespace)
        swapped = [reverse] if reverse.name in known.get(reverse.namespace, ()) else []
        namespaces = [asked.namespace] if asked.namespace in known else []
        if not namespaces and not same:
            namespaces = _close(asked.namespace, known)
        similar = [
            ServiceId(namespace, name)
            for namespace in namespaces
            for name in _close(asked.name, known[namespace])
        ]
        nearest = dict.fromkeys([*sorted(same), *swapped, *similar])
        return [str(id) for id in nearest][:_MOST_NEAREST]


def _close(word: str, words: Iterable[str]) -> list[str]:
    """The most similar first."""
    return difflib.get_close_matches(word, sorted(words)[:_MOST_COMPARED], n=_MOST_NEAREST)


def _growing(wanted: dict[tuple[str, str], None]) -> Iterator[tuple[str, str]]:
    """Each key once, including those that are added meanwhile."""
    done = 0
    while done < len(wanted):
        yield list(wanted)[done]
        done += 1


def _cluster(resource: dict[str, Any]) -> dict[str, Any]:
    """The localities of an assignment: those with endpoints of the Service."""
    assignment = endpoint_pb2.ClusterLoadAssignment.FromString(resource["body"] or b"")
    return {
        "name": resource["name"],
        "localities": [
            {
                "priority": member.priority,
                "region": member.locality.region,
                "zone": member.locality.zone,
                "weight": member.load_balancing_weight.value,
                "endpoints": len(member.lb_endpoints),
            }
            for member in assignment.endpoints
            if not endpoint.is_unreachable(member)
        ],
    }


def check(question: Question) -> None:
    """TranslateError: the namespace, zone or node of the client is not a valid name."""
    if question.namespace and not is_namespace(question.namespace):
        raise TranslateError(f"{question.namespace!r} is not a valid name of a namespace")
    for what, value in (("zone", question.zone), ("node", question.node)):
        if value and not is_locality(value):
            raise TranslateError(f"{value!r} is not a valid name of a {what}")
