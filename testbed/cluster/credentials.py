"""The identities of the cluster's parts: one authority, certificates of the servers, a user for each part.

Nothing but the tests' own user has all permissions: the parts have those that Kubernetes gives them by default.
"""

import secrets
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from testbed.certificate import Authority, Certified
from testbed.cluster import kubeconfig

_VALID = timedelta(days=365)
_USERS = {
    "controllers": "system:kube-controller-manager",
    "scheduler": "system:kube-scheduler",
    "proxy": "system:kube-proxy",
}


@dataclass(frozen=True, slots=True)
class Pair:
    """The files of a certificate and its key."""

    certificate: Path
    key: Path


class Credentials:
    """Files in `folder`, which must exist; `write` makes them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.authority = folder / "authority.crt"
        """Certificate of the authority of all others."""
        self.api_server = self._pair("api-server")
        self.api_server_client = self._pair("api-server-client")
        """The API server's as a client of kubelets."""
        self.tokens = folder / "tokens.csv"
        """Users that are none of service accounts: token, name, id, groups."""
        self.service_account_key = folder / "service-account.key"
        """Signs and verifies the tokens of service accounts."""

    def kubeconfig(self, part: str) -> Path:
        """The kubeconfig of the user of a part: of `_USERS`, the name of a node, or `admin`."""
        return self._folder / f"{part}.kubeconfig"

    def kubelet(self, node: str) -> Pair:
        """Of the kubelet's server."""
        return self._pair(f"kubelet-{node}")

    def write(self, server: str, names: tuple[str, ...], nodes: Mapping[str, str], admin: str) -> None:
        """Make all of them. `server` is the API server's URL, `names` are all its names, `nodes` are the
        addresses of nodes by name, `admin` is the token of the user with all permissions."""
        authority = Authority("steerway test cluster", _VALID)
        self.authority.write_bytes(authority.certificate)
        _write(self.api_server, authority.issue(*names, usage="server", end=_VALID))
        client = authority.issue(
            usage="client", end=_VALID, subject="kube-apiserver-kubelet-client", organization="system:masters"
        )
        _write(self.api_server_client, client)
        for node, address in nodes.items():
            _write(self.kubelet(node), authority.issue(address, node, usage="server", end=_VALID))
        users = {"admin": (admin, "admin", "system:masters")}
        users |= {part: (_token(), user, "system:authenticated") for part, user in _USERS.items()}
        users |= {node: (_token(), f"system:node:{node}", "system:nodes") for node in nodes}
        self.tokens.touch(mode=0o600)
        lines = [f"{token},{user},{user},{group}\n" for token, user, group in users.values()]
        self.tokens.write_text("".join(lines))
        for part, (token, _, _) in users.items():
            kubeconfig.write(self.kubeconfig(part), server, self.authority, {"token": token})
        generate = ["openssl", "genrsa", "-out", str(self.service_account_key), "2048"]
        subprocess.run(generate, check=True, capture_output=True)

    def _pair(self, name: str) -> Pair:
        return Pair(self._folder / f"{name}.crt", self._folder / f"{name}.key")


def _write(pair: Pair, certified: Certified) -> None:
    pair.certificate.write_bytes(certified.certificate)
    pair.key.touch(mode=0o600)
    pair.key.write_bytes(certified.key)


def _token() -> str:
    return secrets.token_hex(16)
