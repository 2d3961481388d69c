"""What xDS servers and mTLS cost the translation: `python -m bench.security.servers`. It needs nothing but Python.

Every Service has one workload of xDS servers, with a service account of its own, and clients that have the certificate
provider. The namespace is strict, and every Service has a policy of the clients that may call it. Each line is one
change and what it touches; the first one is the start.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table

from steerway.catalog.catalog import Catalog
from steerway.catalog.locality.pod_index import PodIndex
from steerway.catalog.security.precedence import ServerDefaults
from steerway.commit import Commit
from steerway.sources.objects.core import EndpointSlice as Slice
from steerway.sources.objects.core import Object, ObjectKey, Pod, Service
from steerway.sources.policy.authorization_policy import AuthorizationPolicy
from steerway.sources.policy.server_policy import ServerPolicy
from steerway.translate.server_name import SERVER_LISTENER_TEMPLATE, ServerRoute
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url
from testbed.manifest import service, slices
from testbed.translator_options import translator_options

_NAMESPACE = "bench"
_PORT = 50051
_LISTENER = SERVER_LISTENER_TEMPLATE % f"0.0.0.0:{_PORT}"
_CHANGES = 20
_CLIENT = f"grpc/go+tls/{_NAMESPACE}"


class World:
    """A catalog and its translator, without an engine: what goes to it is counted."""

    def __init__(self) -> None:
        self._facts: dict[ObjectKey, Object] = {}
        self._pods = PodIndex()
        self.catalog = Catalog(server_defaults=ServerDefaults("cluster.local"), pods=self._pods)
        self.translator = Translator(
            self.catalog.service, configuration=self._configuration, **translator_options()
        )
        self.translator.start(())

    def _configuration(self, namespace: str, workload: str, port: int) -> Any:
        return self.catalog.server_configuration(self._facts.get, namespace, workload, port)

    def update(self, *objects: Object) -> Commit:
        """These came or changed."""
        self._facts.update((obj.key, obj) for obj in objects)
        keys = [obj.key for obj in objects]
        self._pods.update(self._facts.get, keys)
        changed = self.catalog.update(self._facts.get, keys)
        return self.translator.refresh(changed, servers=self.catalog.changed_servers)

    def demand(self, pods: Sequence[Pod]) -> Commit:
        """Each server asks for its Listener and routes, clients for the clusters of all."""
        wanted = []
        for number, pod in enumerate(pods):
            workload = self.catalog.servers.workload(pod)
            audience = f"grpc/go+tls/{_NAMESPACE}/-/-/-/{workload}"
            wanted.append((type_url.LISTENER, _LISTENER, audience))
            wanted.append((type_url.ROUTE, str(ServerRoute(_NAMESPACE, workload, _PORT)), audience))
            cluster = f"svc-{number}.{_NAMESPACE}.svc.cluster.local:{_PORT}"
            wanted.append((type_url.CLUSTER, cluster, _CLIENT))
        return self.translator.demand(wanted)


def mesh_service(number: int, **annotations: str) -> Object:
    """The Service `svc-N`."""
    name = f"svc-{number}"
    stated = service(
        name, {"grpc": _PORT}, namespace=_NAMESPACE, annotations=annotations, selector={"app": name}
    )
    return msgspec.convert(stated, Service, strict=False)


def mesh_slice(number: int) -> Object:
    """Its endpoint."""
    (stated,) = slices(f"svc-{number}", [f"{_address(number)}:{_PORT}"], "grpc", _NAMESPACE)
    return msgspec.convert(stated, Slice, strict=False)


def pod(number: int, account: str = "") -> Pod:
    """The Pod behind it."""
    name = f"svc-{number}"
    stated = {
        "metadata": {"name": f"{name}-0", "namespace": _NAMESPACE, "labels": {"app": name}},
        "spec": {"nodeName": "n1", "serviceAccountName": account or name},
        "status": {"phase": "Running", "podIPs": [{"ip": _address(number)}]},
    }
    return msgspec.convert(stated, Pod, strict=False)


def permit(number: int, method: str = "Get") -> Object:
    """Its AuthorizationPolicy."""
    rule = {
        "from": [{"serviceAccounts": [f"svc-{(number + 1) % 1000}"]}],
        "to": [{"services": ["bench.Service"], "methods": [method]}],
    }
    stated = {
        "metadata": {"name": f"svc-{number}", "namespace": _NAMESPACE},
        "spec": {
            "targetRefs": [{"group": "", "kind": "Service", "name": f"svc-{number}"}],
            "action": "Allow",
            "rules": [rule],
        },
    }
    return msgspec.convert(stated, AuthorizationPolicy, strict=False)


def strict() -> Object:
    """The ServerPolicy of the namespace."""
    stated = {"metadata": {"name": "strict", "namespace": _NAMESPACE}, "spec": {"tls": {"mode": "Strict"}}}
    return msgspec.convert(stated, ServerPolicy, strict=False)


def _address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def measure(table: Table, count: int, policies: bool) -> None:
    """One table: the start, and changes one by one."""
    world = World()
    pods = [pod(number) for number in range(count)]
    for number in range(count):
        world.update(mesh_service(number), mesh_slice(number), pods[number])
    if policies:
        world.update(strict(), *map(permit, range(count)))
    before = time.thread_time()
    commit = world.demand(pods)
    title = f"{count:,} servers" + ("" if policies else ", no policy")
    size = sum(len(put.body) for put in commit.put)
    table.add_row(
        f"{title}: start",
        f"{(time.thread_time() - before) * 1000:,.0f} ms",
        f"{len(commit.put):,}, {size / 1024:,.0f} KiB",
    )
    changes: dict[str, Callable[[int], Object]] = {
        "a service account of a Pod": lambda number: pod(number, "other"),
        "a Service": lambda number: mesh_service(number, **{"steerway.io/timeout": "1s"}),
        "an endpoint": lambda number: mesh_slice(number + count),
        "an AuthorizationPolicy": lambda number: permit(number, "Put"),
    }
    for name, change in changes.items():
        cost, sent = 0.0, 0
        for number in range(_CHANGES):
            changed = change(number)
            before = time.thread_time()
            sent += len(world.update(changed).put)
            cost += time.thread_time() - before
        table.add_row(f"{title}: {name}", f"{cost / _CHANGES * 1000:,.2f} ms", f"{sent / _CHANGES:.1f}")


@click.command()
@click.option("--servers", "count", default=1_000, show_default=True, help="Workloads of servers")
def main(count: int) -> None:
    """Measure what servers and mTLS cost."""
    table = Table("", "CPU time", "resources", title="xDS servers in one namespace")
    measure(table, count // 10, policies=True)
    measure(table, count, policies=False)
    measure(table, count, policies=True)
    Console().print(table)


if __name__ == "__main__":
    main()
