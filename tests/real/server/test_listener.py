"""A gRPC server that gets its Listener, TLS and authorization from steerway, and the clients that call it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from testbed.backend.xds_server import XdsProgram, XdsServer
from testbed.certificate import Authority
from testbed.certificate_folder import CertificateFolder
from testbed.client.grpc_client import Channel, Client
from testbed.manifest import NAMESPACE, Files, Manifest, slices, target
from testbed.process.control_plane import ControlPlane, Steer
from testbed.process.deadline import until
from testbed.process.free_port import free_port
from testbed.process.process import Processes

CART, WEB, OTHER = (
    f"spiffe://cluster.local/ns/{name}" for name in ("shop/sa/cart", "shop/sa/web", "pay/sa/x")
)
TARGET = "xds:///cart.shop:50051"
GET, PUT = "/shop.Cart/Get", "/shop.Cart/Put"


def policy(kind: str, name: str, **spec: Any) -> Manifest:
    """A policy of the Service `cart`."""
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"targetRefs": [target("cart")], **spec},
    }


class World:
    """Steerway, the Service `cart` with one xDS server, and clients."""

    def __init__(self, plane: ControlPlane, processes: Processes, files: Files, folder: Path) -> None:
        self.plane = plane
        self.files = files
        self._processes = processes
        self._folder = folder
        self._numbers = itertools.count()
        self.root = Authority("root")
        self.address = f"127.0.0.1:{free_port()}"
        files.write(
            "cart.yaml",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": "cart", "namespace": NAMESPACE},
                "spec": {
                    "ports": [{"port": 50051, "name": "grpc", "targetPort": int(self.address.split(":")[1])}],
                },
            },
            *slices("cart", [self.address], "grpc"),
        )

    def bootstrap(self, identity: str = "", *options: str) -> Path:
        """That of a workload; with an identity it has certificates."""
        number = next(self._numbers)
        if identity:
            certificates = CertificateFolder(self._folder / f"certificates-{number}", identity)
            certificates.write(self.root, [self.root])
            options = (
                *options,
                "--certificate-provider",
                f"steerway={certificates.path}",
                "--metadata",
                "steerway.io/certificate-provider=steerway",
            )
        file = self._folder / f"workload-{number}.json"
        return self.plane.bootstrap(file, "--namespace", NAMESPACE, *options)

    def serve(self, identity: str = "", host: str = "") -> XdsServer:
        """The server, which claims to be of the Service; at another `host` than its address."""
        options = ("--server-listener-template", "--metadata", "steerway.io/service=cart")
        program = XdsProgram(self._processes, "grpcio", self.bootstrap(identity, *options))
        address, _, port = self.address.rpartition(":")
        return program.serve("cart", f"{host or address}:{port}")

    def dial(self, identity: str = "") -> Channel:
        """A client of the Service."""
        client = Client(self._processes, "grpcio", self.bootstrap(identity))
        return client.dial(TARGET, xds_credentials=True)

    def apply(self, *policies: Manifest) -> None:
        """These are all the policies."""
        self.files.write("policies.yaml", *policies)


@pytest.fixture
def world(steer: Steer, processes: Processes, files: Files, tmp_path: Path) -> Iterator[World]:
    """Nothing that is sent is refused."""
    made = World(steer(), processes, files, tmp_path)
    yield made
    made.plane.assert_no_nack()


def test_authorization_changes_while_calls_go_on(world: World) -> None:
    """By new routes: a call that is under way ends as it would have, on its connection."""
    server, client = world.serve(), world.dial()
    client.wait_for_answer(method=GET)
    client.begin(method="/shop.Cart/Block")
    server.wait_for_blocked(1)
    rules = [{"to": [{"services": ["shop.Cart"], "methods": ["Get"]}]}]
    world.apply(policy("AuthorizationPolicy", "reads", action="Allow", rules=rules))
    client.wait_for_code(grpc.StatusCode.PERMISSION_DENIED, method=PUT)
    assert client.call(method=GET)[0].ok
    connected = client.states.count("READY")
    answers = len(client.answers)
    server.release()
    assert client.wait_for_answers(answers + 1)[-1].ok
    world.apply(policy("AuthorizationPolicy", "reads", action="Deny", rules=rules))
    client.wait_for_code(grpc.StatusCode.PERMISSION_DENIED, method=GET)
    assert client.call(method=PUT)[0].ok
    assert client.states.count("READY") == connected


@pytest.mark.parametrize("host", ["0.0.0.0", "[::]"])
def test_a_server_may_listen_on_every_address(world: World, host: str) -> None:
    """The Listener repeats the text of the address."""
    world.serve(host=host)
    world.dial().wait_for_answer()


def test_a_strict_server_knows_its_callers(world: World) -> None:
    """Each side verifies the other; a rule permits one service account, and plaintext is refused."""
    world.apply(
        policy("ServerPolicy", "strict", tls={"mode": "Strict", "serviceAccounts": ["cart"]}),
        policy(
            "AuthorizationPolicy", "web", action="Allow", rules=[{"from": [{"serviceAccounts": ["web"]}]}]
        ),
    )
    world.serve(CART)
    web, other, plain = world.dial(WEB), world.dial(OTHER), world.dial()
    web.wait_for_answer()
    assert web.answers[-1].metadata["peer"] == WEB
    other.wait_for_code(grpc.StatusCode.PERMISSION_DENIED)
    plain.wait_for_code(grpc.StatusCode.UNAVAILABLE)


def test_a_permissive_server_takes_clients_without_a_certificate_too(world: World) -> None:
    """Over TLS alone: one without a provider stays in plaintext, which it refuses."""
    world.apply(policy("ServerPolicy", "permissive", tls={"mode": "Permissive"}))
    world.serve(CART)
    world.dial(WEB).wait_for_answer()
    world.dial().wait_for_code(grpc.StatusCode.UNAVAILABLE)


def test_a_server_with_another_identity_is_refused(world: World) -> None:
    """By its clients: the certificate is valid, and of another service account."""
    world.apply(policy("ServerPolicy", "strict", tls={"mode": "Strict", "serviceAccounts": ["cart"]}))
    world.serve(OTHER)
    client = world.dial(WEB)
    until(
        lambda: "SANs" in client.call()[0].error,
        lambda: f"a refusal of the certificate, but {client.answers[-1]}",
    )


def test_a_server_without_certificates_stops_to_serve_under_tls(world: World) -> None:
    """It never goes on in plaintext. The reason is in the list of resources, and without TLS it serves again."""
    world.serve()
    client = world.dial()
    client.wait_for_answer()
    world.apply(policy("ServerPolicy", "strict", tls={"mode": "Strict"}))
    client.wait_for_code(grpc.StatusCode.UNAVAILABLE)
    listeners = world.plane.resources("lds")
    reason = next(row["absent"] for row in listeners if row["name"].endswith(world.address))
    assert "ServerPolicy shop/strict" in reason and "no certificate provider" in reason
    world.apply(policy("ServerPolicy", "strict", tls={"mode": "Off"}))
    client.wait_for_answer()
