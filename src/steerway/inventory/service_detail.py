"""Everything that is known of one service."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from steerway.catalog.locality.client_locality import PodLocality
from steerway.catalog.model.identity import ServiceId
from steerway.catalog.model.mesh import ANY_PORT, Endpoint, Port, Service
from steerway.catalog.model.route import Match, MatchType, Rule
from steerway.explain import fact, left_out, wording
from steerway.explain.subscribed_name import find_target
from steerway.explain.target import left_out_rows
from steerway.inventory.engine_view import LoadsView
from steerway.inventory.inventory import Inventory
from steerway.inventory.missing_backend import Find
from steerway.inventory.problem import object_of
from steerway.inventory.row.problem import ProblemRow
from steerway.inventory.row.service import (
    BackendRow,
    EndpointRow,
    LoadRow,
    PortDetail,
    PropagationRow,
    RoutingRow,
    RuleRow,
    ServiceDetail,
    SubscriberRow,
)
from steerway.inventory.service_table import Slices, port_row
from steerway.inventory.subscription_table import Subscription
from steerway.journal.row import ChangeRow
from steerway.translate.xds import type_url

MAX_CHANGES = 20
"""Changes that are listed; all those in the journal count for the propagation."""
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds."""


class ServiceDetails(NamedTuple):
    """`pod_at`: the pod at an address. `loads` reads the load reports, `changes` the journal, newest first."""

    inventory: Inventory
    find: Find
    slices: Slices
    pod_at: Callable[[str], PodLocality | None]
    loads: Callable[[], LoadsView]
    changes: Callable[[], Iterable[ChangeRow]]
    domain: str

    def read(self, id: ServiceId) -> ServiceDetail | None:
        """The details of a service; None: there is none. In a thread."""
        rows = self.inventory.services([str(id)])
        service = self.find(id)
        if not rows or service is None:
            return None
        (row,) = self.inventory.aged(rows)
        changes = [change for change in self.changes() if row.id in change.services]
        objects = self.inventory.objects_of(row.id)
        return ServiceDetail(
            **msgspec.structs.asdict(row),
            port_details=[self._port(service, port) for port in service.ports],
            routing=[*routing(service)],
            subscribers=[
                _subscriber(subscription)
                for _, subscription in sorted(self.inventory.subscriptions_of(row.id).items())
            ],
            problem_details=[
                ProblemRow(problem.where, problem.reason, problem.hint)
                for problem in self.inventory.problems
                if object_of(problem) in objects
            ],
            propagation=propagation(
                [change.last_acked_seconds for change in changes if change.last_acked_seconds is not None]
            ),
            load=_loads(self.loads(), id, self.domain),
            changes=changes[:MAX_CHANGES],
        )

    def _port(self, service: Service, port: Port) -> PortDetail:
        shown = port_row(port)
        return PortDetail(
            number=shown.number,
            name=shown.name,
            protocol=shown.protocol,
            endpoints=[self._endpoint(endpoint) for endpoint in port.endpoints],
            policy={
                row["section"]: f"{row['value']} ({row['source']})" for row in wording.spoken(port.policy)
            },
            left_out=left_out_rows(left_out.of_port(port, self.slices(service.id)), self.pod_at),
        )

    def _endpoint(self, endpoint: Endpoint) -> EndpointRow:
        pod = self.pod_at(endpoint.address) or PodLocality()
        return EndpointRow(
            address=endpoint.address,
            port=endpoint.port,
            state=endpoint.state.value,
            zone=endpoint.locality.zone or None,
            region=endpoint.locality.region or None,
            node=endpoint.node or pod.node or None,
            pod=pod.pod or None,
            priority=endpoint.priority,
            weight=1,
        )


def routing(service: Service) -> Iterator[RoutingRow]:
    """The routes of all ports, each with its rules in the order in which they are tried."""
    matches: dict[str, dict[str, tuple[Rule, list[str]]]] = {}
    tables = (table for port in service.ports for table in port.routing.tables)
    for match, rule in (entry for table in tables for entry in table):
        _, shown = matches.setdefault(rule.route, {}).setdefault(rule.where, (rule, []))
        if (text := match_text(match)) not in shown:
            shown.append(text)
    for route, rules in matches.items():
        yield RoutingRow(route, [_rule(rule, shown) for rule, shown in rules.values()])


def match_text(match: Match) -> str:
    """`method pkg.Service/Method with header x=1`; other paths than those of one method as `fact.match` has them."""
    text = fact.match(match)
    _, _, method = match.path.partition("/")
    if match.match_type is MatchType.EXACT and method.count("/") == 1:
        return text.replace(f"path {match.path}", f"method {method}", 1)
    return text


def propagation(seconds: Sequence[float]) -> PropagationRow:
    """The distribution of durations; percentiles by the nearest rank."""
    ordered = sorted(seconds)
    counts = [0] * (len(BUCKETS) + 1)
    for value in ordered:
        counts[bisect_left(BUCKETS, value)] += 1

    def rank(share: float) -> float | None:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None

    bounds: tuple[float | None, ...] = (*BUCKETS, None)
    return PropagationRow(
        len(ordered), rank(0.5), rank(0.99), rank(1.0), list(zip(bounds, counts, strict=True))
    )


def _rule(rule: Rule, matches: list[str]) -> RuleRow:
    total = sum(backend.weight for backend in rule.backends) or 1
    backends = [
        BackendRow(
            None if backend.to is None else str(backend.to.service),
            None if backend.to is None or backend.to.port == ANY_PORT else backend.to.port,
            backend.weight,
            round(backend.weight / total, 4),
        )
        for backend in rule.backends
    ]
    return RuleRow(matches, [*fact.actions(rule)], backends)


def _subscriber(subscription: Subscription) -> SubscriberRow:
    return SubscriberRow(
        subscription.workload,
        subscription.streams,
        subscription.states,
        round(subscription.since_seconds, 3),
        subscription.names,
    )


def _loads(loads: LoadsView, id: ServiceId, domain: str) -> list[LoadRow]:
    """Of all ports, by locality."""
    rows: dict[str, LoadRow] = {}
    for load in loads.localities:
        target = find_target(type_url.CLUSTER, load.cluster, "", domain)
        if target is None or target.service != id:
            continue
        locality = "/".join(part for part in (load.region, load.zone, load.sub_zone) if part)
        before = rows.get(locality, LoadRow(locality, 0, 0, 0, 0))
        rows[locality] = LoadRow(
            locality,
            before.issued + load.issued,
            before.successful + load.successful,
            before.errors + load.errors,
            before.in_progress + load.in_progress,
        )
    return [rows[locality] for locality in sorted(rows)]
