"""What policies cost the translation: `python -m bench.policy`. It needs nothing but Python, and takes a few minutes.

Two questions, each with the figure to compare it with from the same run:

- *One policy of many services.* All services are demanded, each with a route and a policy of its own; one policy
  changes. Beside it the same change of a control plane that translates everything anew, as one snapshot for all is
  made.
- *Zones and buckets.* Services whose assignment is another one for each zone and each bucket, all demanded by clients
  of
  every zone and bucket. Beside it the same services with zones alone, and without a policy.
"""

import gc
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from bench.usage import Reading
from steerway.catalog.catalog import Catalog
from steerway.commit import Commit
from steerway.sources.objects.core import (
    SERVICE_NAME_LABEL,
    Endpoint,
    EndpointPort,
    EndpointSlice,
    Object,
    ObjectKey,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from steerway.sources.objects.slim import AttachedMeta
from steerway.sources.policy.gateway import BackendRef, GRPCRoute, GRPCRouteSpec, GRPCRule, ParentRef
from steerway.sources.policy.traffic_policy import (
    PolicyTarget,
    RetrySection,
    SubsetSection,
    TrafficPolicy,
    TrafficPolicySpec,
    ZonesSection,
)
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.translator_options import translator_options

_NAMESPACE = "bench"
_PORT = 50051
_ZONES = ("eu-1a", "eu-1b", "eu-1c")
_CHANGES = 50


class World:
    """A catalog and its translator, without an engine: what goes to it is counted."""

    def __init__(self, buckets: int = 0) -> None:
        self._facts: dict[ObjectKey, Object] = {}
        self._catalog = Catalog()
        self._translator = Translator(self._catalog.service, **translator_options(buckets=buckets))
        self._translator.start(())

    def update(self, objects: Sequence[Object]) -> Commit:
        """These came or changed."""
        self._facts.update((obj.key, obj) for obj in objects)
        changed = self._catalog.update(self._facts.get, [obj.key for obj in objects])
        return self._translator.refresh(changed)

    def demand(self, wanted: Iterator[tuple[str, str, str]]) -> Commit:
        """Somebody asked for these."""
        return self._translator.demand(wanted)


def services(count: int, endpoints: int) -> list[Object]:
    """Services `svc-N` with one slice each, over the zones."""
    objs: list[Object] = []
    for number in range(count):
        name = f"svc-{number}"
        pods = [
            Endpoint([f"10.{number >> 8}.{number & 255}.{index + 1}"], zone=_ZONES[index % len(_ZONES)])
            for index in range(endpoints)
        ]
        labels = {SERVICE_NAME_LABEL: name}
        objs.append(Service(ServiceMeta(name, _NAMESPACE), ServiceSpec([ServicePort(_PORT)])))
        objs.append(
            EndpointSlice(
                ObjectMeta(f"{name}-1", _NAMESPACE, labels), "IPv4", pods, [EndpointPort(port=_PORT)]
            )
        )
    return objs


def policy(number: int, **sections: Any) -> TrafficPolicy:
    """The policy of `svc-N`."""
    target = PolicyTarget("", "Service", f"svc-{number}")
    return TrafficPolicy(AttachedMeta(f"p-{number}", _NAMESPACE), TrafficPolicySpec([target], **sections))


def route(number: int) -> GRPCRoute:
    """A route of `svc-N` to itself."""
    backend = BackendRef(f"svc-{number}", port=_PORT)
    parent = ParentRef(f"svc-{number}", "", "Service")
    spec = GRPCRouteSpec([parent], rules=[GRPCRule(backend_refs=[backend])])
    return GRPCRoute(AttachedMeta(f"r-{number}", _NAMESPACE), spec)


def names(count: int) -> Iterator[tuple[str, str]]:
    """What a client of every service subscribes to."""
    for number in range(count):
        canonical = f"svc-{number}.{_NAMESPACE}.svc.cluster.local:{_PORT}"
        yield type_url.LISTENER, f"svc-{number}.{_NAMESPACE}:{_PORT}"
        for served in (type_url.ROUTE, type_url.CLUSTER, type_url.ENDPOINT):
            yield served, canonical


def one_of_many(count: int, endpoints: int, table: Table) -> None:
    """The first question."""
    world = World()
    objects: list[Object] = services(count, endpoints)
    objects += [item for number in range(count) for item in (route(number), policy(number, retry=_retry(1)))]
    world.update(objects)
    before = time.thread_time()
    world.demand((*name, f"grpc/go/{_NAMESPACE}") for name in names(count))
    everything = time.thread_time() - before
    cost, sent = 0.0, 0
    for number in range(_CHANGES):
        changed = policy(number, retry=_retry(2))
        before = time.thread_time()
        sent += len(world.update([changed]).put)
        cost += time.thread_time() - before
    changes = cost / _CHANGES
    table.add_row(
        f"{count:,} services, 1 policy",
        f"{changes * 1000:.2f} ms",
        f"{sent / _CHANGES:.0f}",
        f"{everything * 1000:,.0f} ms",
        f"1 : {everything / changes:,.0f}",
    )


def _retry(attempts: int) -> RetrySection:
    return RetrySection(["Unavailable"], attempts)


def spread_out(count: int, endpoints: int, buckets: int, sections: dict[str, Any]) -> tuple[str, ...]:
    """The second question: one line of its table. For a process of its own, whose memory is not shared."""
    world = World(buckets)
    world.update(services(count, endpoints))
    if sections:
        world.update([policy(number, **sections) for number in range(count)])
    gc.collect()
    resident = Reading.take(os.getpid()).rss
    before = time.thread_time()
    # Each audience asks by itself, as clients do that come one after another.
    commits = [
        world.demand([(type_url.ENDPOINT, name, f"grpc/go/{_NAMESPACE}/{zone}/-/{bucket}")])
        for zone in _ZONES
        for bucket in range(buckets)
        for served, name in names(count)
        if served == type_url.ENDPOINT
    ]
    cost = time.thread_time() - before
    rss = Reading.take(os.getpid()).rss - resident
    sent = [put.body for commit in commits for put in commit.put]
    changes = []
    for number in range(_CHANGES):
        fewer = services(number + 1, endpoints - 1)[-1:]
        before = time.thread_time()
        world.update(fewer)
        changes.append(time.thread_time() - before)
    return (
        " and ".join(sections) or "no policy",
        f"{len(sent):,}",
        f"{sum(map(len, sent)) / 2**20:.1f} MiB",
        f"{rss / 2**10:.0f} MiB",
        f"{cost / len(commits) * 1e6:,.0f} us",
        f"{cost:.1f} s",
        f"{sum(changes) / len(changes) * 1000:.2f} ms",
    )


@click.command()
@click.option("--services", "count", default=10_000, show_default=True, help="Services of the first question")
@click.option("--spread", default=1_000, show_default=True, help="Services of the second one")
@click.option("--buckets", default=16, show_default=True, help="Buckets of the second one")
@click.option("--endpoints", default=50, show_default=True, help="Endpoints of each service")
def main(count: int, spread: int, buckets: int, endpoints: int) -> None:
    """Measure what policies cost."""
    console = Console()
    table = Table(
        "", "one change", "resources", "everything anew", "ratio", title="One policy of many services"
    )
    one_of_many(count // 10, endpoints, table)
    one_of_many(count, endpoints, table)
    console.print(table)
    title = f"{spread:,} services of {endpoints} endpoints, {len(_ZONES)} zones, {buckets} buckets"
    head = ("", "assignments", "bytes", "memory", "a demand", "all", "one endpoint changes")
    many = Table(*head, title=title)
    zones = {"zones": ZonesSection("Spill")}
    for sections in ({}, zones, {**zones, "subset": SubsetSection()}):
        with ProcessPoolExecutor(1, get_context("spawn")) as alone:
            many.add_row(*alone.submit(spread_out, spread, endpoints, buckets, sections).result())
    console.print(many)


if __name__ == "__main__":
    main()
