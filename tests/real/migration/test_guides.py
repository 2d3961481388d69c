"""The manifests of the migration guides, with real clients that keep their targets."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from testbed.backend.backend import Backends
from testbed.client.grpc_client import Client
from testbed.manifest import Files, slices
from testbed.process.process import Processes
from tests.real.conftest import GRPC_GO, Connect, Steer, by
from tests.support.example import guide


def publish(
    files: Files, backends: Backends, name: str, block: int, *services: str, namespace: str
) -> list[str]:
    """The manifests of a guide, and a backend for each of these Services of them."""
    guide.publish(files, name, block)
    addresses = backends.open(len(services))
    for service, address in zip(services, addresses, strict=True):
        (port,) = next(
            document["spec"]["ports"]
            for document in guide.documents(name, block)
            if document["kind"] == "Service" and document["metadata"]["name"] == service
        )
        files.write(f"{service}-slice.yaml", *slices(service, [address], port.get("name", ""), namespace))
    return addresses


@by("grpcio")
def test_a_gateway_of_wongnai_keeps_its_target(
    files: Files, backends: Backends, steer: Steer, connect: Connect
) -> None:
    """For clients of its namespace; both gRPC services go to the Service."""
    (cart,) = publish(files, backends, "from-wongnai-xds", 2, "cart", namespace="shop")
    channel = connect(steer()).dial("xds:///apigw1")
    for method in ("/shop.Cart/Add", "/shop.Checkout/Pay"):
        channel.wait_for_backend(cart, method=method)
    assert not channel.call(method="/shop.Other/Get")[0].ok


@by("grpcio")
def test_a_target_of_semaphore_keeps_its_hash(
    files: Files, backends: Backends, steer: Steer, connect: Connect
) -> None:
    """Equal headers, equal endpoint."""
    name, service = "from-semaphore-xds", "grpc-echo-server"
    guide.publish(files, name)
    addresses = backends.open(3)
    files.write("slice.yaml", *slices(service, addresses, "grpc", "labs"))
    channel = connect(steer()).dial(f"xds:///{service}.labs:50051")
    channel.wait_for_answer()
    by_user = {
        user: {answer.backend for answer in channel.call(10, metadata={"x-user": user})}
        for user in "abcdefgh"
    }
    assert all(len(backends_of_user) == 1 for backends_of_user in by_user.values()), by_user
    assert len(set.union(*by_user.values())) > 1


@by(GRPC_GO)
def test_a_client_of_istio_keeps_its_bootstrap_and_its_target(
    files: Files,
    backends: Backends,
    steer: Steer,
    connect: Callable[..., Any],
    processes: Processes,
    tmp_path: Path,
) -> None:
    """The file of Istio's agent, with another `server_uri`."""
    first, second = publish(
        files, backends, "from-istio-proxyless", 0, "echo-v1", "echo-v2", namespace="shop"
    )
    plane = steer()
    client = Client(processes, connect(plane).library, _bootstrap_of_istio(tmp_path, plane.address))
    channel = client.dial("xds:///echo.shop.svc.cluster.local:7070")
    channel.wait_for_backend(first)
    channel.wait_for_backend(second, metadata={"x-canary": "true"})
    seen = [answer.backend for answer in channel.call(100)]
    assert 50 < seen.count(first) < 100, "90 of 100 on average"
    assert {answer.backend for answer in channel.call(20, metadata={"x-canary": "true"})} == {second}


def _bootstrap_of_istio(folder: Path, address: str) -> Path:
    """In the form that Istio's agent writes."""
    certificates = {
        "certificate_file": "cert-chain.pem",
        "private_key_file": "key.pem",
        "refresh_interval": "900s",
    }
    file = folder / "grpc-bootstrap.json"
    file.write_text(
        json.dumps(
            {
                "xds_servers": [
                    {
                        "server_uri": address,
                        "channel_creds": [{"type": "insecure"}],
                        "server_features": ["xds_v3"],
                    }
                ],
                "node": {
                    "id": "sidecar~10.0.0.7~client-1.shop~shop.svc.cluster.local",
                    "metadata": {"GENERATOR": "grpc", "NAMESPACE": "shop", "INSTANCE_IPS": "10.0.0.7"},
                    "locality": {},
                },
                "certificate_providers": {"default": {"plugin_name": "file_watcher", "config": certificates}},
                "server_listener_resource_name_template": "xds.istio.io/grpc/lds/inbound/%s",
            }
        )
    )
    return file
