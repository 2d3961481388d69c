"""Two replicas with clients, calls, changes and mistakes, scraped by a real Prometheus."""

import datetime
from collections.abc import Iterator

import pytest

from steerway.testing.ads_client import AdsClient
from steerway.translate.xds import type_url
from testbed.api_server import ApiServer
from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client
from testbed.manifest import Endpoint, Manifest, service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.process import Processes
from testbed.prometheus.prometheus import Prometheus

CLUSTER = "backend.shop.svc.cluster.local:50051"
_PORTS = {"grpc": 50051}
_TRIGGER = "endpoints.kubernetes.io/last-change-trigger-time"
_OPTIONS = (
    *("--kubernetes", "--namespace", "all", "--lease-namespace", "ops"),
    *("--load-reporting-enabled", "--load-reporting-interval-seconds", "1"),
)


def _backends(addresses: list[str]) -> list[Manifest]:
    """EndpointSlices of one zone each, with the present as the time of their change."""
    time = datetime.datetime.now(datetime.UTC).isoformat()
    made = slices(
        "backend", [Endpoint(address, f"eu-1{'ab'[i]}") for i, address in enumerate(addresses)], "grpc"
    )
    for manifest in made:
        manifest["metadata"]["annotations"] = {_TRIGGER: time}
    return made


@pytest.fixture(scope="package")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Everything that a panel shows has happened: calls, a change, a NACK, an absent name, a problem."""
    directory = tmp_path_factory.mktemp("dashboard")
    server = ApiServer(directory / "kubeconfig")
    with Processes() as processes:
        addresses = Backends(processes).open(2)
        server.put(service("backend", _PORTS), *_backends(addresses[:1]))
        server.put(service("broken", {"": 80}, type="ExternalName", externalName="10.0.0.1"))
        options = [*_OPTIONS, "--kubeconfig", str(server.kubeconfig)]
        planes = [ControlPlane(processes, options) for _ in range(2)]
        until(lambda: all(plane.ready() for plane in planes), "ready replicas")
        prometheus = Prometheus(
            processes, directory, {f"steerway-{number}": plane.admin for number, plane in enumerate(planes)}
        )
        _scraped(prometheus)
        bootstrap = planes[0].bootstrap(directory / "bootstrap.json", "--namespace", "shop")
        channel = Client(processes, "grpcio", bootstrap, {}).dial("xds:///backend.shop:50051")
        channel.call(20)
        with AdsClient(planes[1].address) as client:
            stream = client.sotw()
            stream.request(type_url.CLUSTER, CLUSTER)
            stream.nack(stream.read(), "made for the dashboard")
            stream.request(type_url.LISTENER, "absent.shop")
            server.put(*_backends(addresses))
            until(lambda: planes[0].metric("steerway_load_requests_total") >= 20, "a load report")
            channel.call(20)
            until(lambda: planes[0].metric("steerway_load_requests_total") >= 40, "another load report")
            _scraped(prometheus)
            yield prometheus
        prometheus.close()
        for plane in planes:
            plane.close()
    server.close()


def _scraped(prometheus: Prometheus) -> None:
    """Wait for two more scrapes of each replica: rates need two samples."""
    replicas = 2

    def scrapes() -> int:
        counts = prometheus.query("count_over_time(up[1h])")
        return min(int(sample["value"][1]) for sample in counts) if len(counts) == replicas else 0

    wanted = scrapes() + 2
    until(lambda: scrapes() >= wanted, "two more scrapes")
