"""xDS servers and their clients with certificates of one authority, and one control plane on files for all of them."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

import grpc

from steerway.catalog.model.identity import spiffe_id
from testbed.backend.xds_server import XdsProgram, XdsServer
from testbed.certificate import Authority
from testbed.certificate_folder import CertificateFolder
from testbed.client.grpc_client import Answer, Channel, Client, Library, Request
from testbed.manifest import NAMESPACE, PORT, Files, Manifest, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import until
from testbed.process.free_port import free_port
from testbed.process.process import Processes

TRUST_DOMAIN = "mesh.test"
SERVER, CLIENT = "server", "client"
"""Service accounts."""
DEADLINE_SECONDS = 10.0
_OPTIONS = ("--identity-trust-domain", TRUST_DOMAIN)
_REFRESH = ("--certificate-refresh-seconds", "1")


def identity(account: str) -> str:
    """The SPIFFE ID of a service account."""
    return spiffe_id(TRUST_DOMAIN, NAMESPACE, account)


@dataclass(frozen=True)
class Served:
    """A Service with one pod, which is a server of a library."""

    service: str
    program: XdsProgram
    servers: dict[str, XdsServer]
    """By name of the port."""

    @property
    def only(self) -> XdsServer:
        (server,) = self.servers.values()
        return server

    @property
    def target(self) -> str:
        """The first port of the Service."""
        return self.target_at(0)

    def target_at(self, index: int) -> str:
        return f"xds:///{self.service}.{NAMESPACE}:{PORT + index}"


class TrustedMesh:
    """One namespace; its objects are in `files`, each in a file of its own name."""

    def __init__(self, processes: Processes, directory: Path, *options: str) -> None:
        self.root = Authority("root")
        self.issuer = Authority("intermediate", issuer=self.root)
        self._folders: dict[tuple[str, ...], CertificateFolder] = {}
        self._processes = processes
        self._directory = directory
        self._numbers = itertools.count(1)
        (directory / "manifests").mkdir()
        self.files = Files(directory / "manifests")
        files = ("--files", str(self.files.directory))
        self.plane = ControlPlane(processes, [*files, *_OPTIONS, *options])

    def serve(
        self,
        library: Library,
        service: str,
        *,
        ports: Sequence[str] = ("grpc",),
        account: str | None = SERVER,
        certified: str = "",
    ) -> Served:
        """Start a server whose pod has the account. Its certificates are those of `certified`, if it differs; without
        an account there are none."""
        host = f"127.0.2.{next(self._numbers)}"
        numbers = {port: free_port(host) for port in ports}
        self._publish(service, host, numbers, account or SERVER)
        options = ("--service", service)
        program = XdsProgram(
            self._processes, library, self._bootstrap((service,), certified or account, *options)
        )
        # grpc-java serves on all addresses of the host.
        own = "0.0.0.0" if library == "grpc-java" else host
        servers = {
            port: program.serve(f"{service}-{port}", f"{own}:{number}") for port, number in numbers.items()
        }
        return Served(service, program, servers)

    def client(
        self, library: Library, account: str | None = CLIENT, edit: Callable[[Manifest], None] | None = None
    ) -> Client:
        """Start a client with certificates of the account; without one it has no certificate provider. `edit` changes
        its bootstrap."""
        file = self._bootstrap((account or "", library), account)
        if edit is not None:
            document = json.loads(file.read_text())
            edit(document)
            file.write_text(json.dumps(document))
        return Client(self._processes, library, file)

    def policies(self, *manifests: Manifest) -> None:
        """Have these policies and no others."""
        self.files.write("policies.yaml", *manifests)

    def rotate(self, issuer: Authority, *roots: Authority) -> None:
        """Issue new certificates to all workloads, which trust these roots from then on."""
        for folder in self._folders.values():
            folder.write(issuer, roots)

    def folder(self, *owner: str) -> CertificateFolder:
        """The certificates of a server by its Service, or of a client by account and library."""
        return self._folders[owner]

    def _bootstrap(self, owner: tuple[str, ...], account: str | None, *options: str) -> Path:
        name = f"{next(self._numbers)}"
        certificates: tuple[str, ...] = ()
        if account is not None:
            folder = CertificateFolder(self._directory / name, identity(account))
            folder.write(self.issuer, [self.root])
            self._folders[owner] = folder
            certificates = ("--certificates", str(folder.path), *_REFRESH)
        file = self._directory / f"{name}.json"
        return self.plane.bootstrap(file, "--namespace", NAMESPACE, *certificates, *options)

    def _publish(self, service: str, host: str, ports: dict[str, int], account: str) -> None:
        labels = {"app": service}
        listed = [
            {"name": name, "port": PORT + number, "targetPort": port}
            for number, (name, port) in enumerate(ports.items())
        ]
        self.files.write(
            f"{service}.yaml",
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": service, "namespace": NAMESPACE},
                "spec": {"ports": listed, "selector": labels},
            },
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {"name": f"{service}-0", "namespace": NAMESPACE, "labels": labels},
                "spec": {"nodeName": "node", "serviceAccountName": account},
                "status": {"phase": "Running", "podIPs": [{"ip": host}]},
            },
            *(part for name, port in ports.items() for part in slices(service, [f"{host}:{port}"], name)),
        )


def server_policy(
    name: str, mode: str | None = None, service: str = "", port: str = "", **spec: object
) -> Manifest:
    """A ServerPolicy with this TLS mode, of a Service or of the whole namespace; `spec` are further sections."""
    tls = {"tls": {"mode": mode}} if mode else {}
    return _policy("ServerPolicy", name, service, port, {**tls, **spec})


def authorization_policy(
    name: str, action: str, *rules: Manifest, service: str = "", mode: str = "Enforce"
) -> Manifest:
    """An AuthorizationPolicy of a Service or of the whole namespace."""
    return _policy(
        "AuthorizationPolicy", name, service, "", {"action": action, "mode": mode, "rules": list(rules)}
    )


def _policy(kind: str, name: str, service: str, port: str, spec: Manifest) -> Manifest:
    target = {"group": "", "kind": "Service", "name": service, **({"sectionName": port} if port else {})}
    return {
        "apiVersion": "steerway.io/v1alpha1",
        "kind": kind,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {**({"targetRefs": [target]} if service else {}), **spec},
    }


def wait_for(
    channel: Channel, condition: Callable[[Answer], bool], what: str, **request: Unpack[Request]
) -> Answer:
    """Call until an answer is like this, and return it."""
    request.setdefault("deadline_seconds", DEADLINE_SECONDS)
    until(
        lambda: condition(channel.call(**request)[0]),
        lambda: f"{what} at {channel.target}, but {channel.answers[-1]}",
    )
    return channel.answers[-1]


def seen(peer: str) -> Callable[[Answer], bool]:
    """An answer of a server that has seen this identity; "": none."""
    return lambda answer: answer.ok and answer.metadata["peer"] == peer


def refused(answer: Answer) -> bool:
    """No connection, which is neither a denied call nor one that took too long."""
    return answer.code is grpc.StatusCode.UNAVAILABLE


def denied(answer: Answer) -> bool:
    """Refused by the rules of a server."""
    return answer.code is grpc.StatusCode.PERMISSION_DENIED
