"""One control plane, authority, and servers of all libraries for the tests of a module."""

from collections.abc import Callable, Iterator

import pytest

from testbed.client.grpc_client import Client, Library
from testbed.process.process import Processes
from tests.real.mesh.trusted_mesh import CLIENT, Served, TrustedMesh

Clients = Callable[..., Client]
Servers = Callable[[Library], Served]


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Every process of the module; all are ended with it."""
    with Processes(preloaded=True) as started:
        yield started


@pytest.fixture(scope="module")
def mesh(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TrustedMesh]:
    """The namespace and its control plane, which no client or server has refused anything of."""
    made = TrustedMesh(processes, tmp_path_factory.mktemp("mesh"))
    yield made
    made.plane.assert_no_nack()
    made.plane.close()


@pytest.fixture(scope="module")
def server(mesh: TrustedMesh) -> Servers:
    """The server of a library: Service `LIBRARY`, started when it is first asked for."""
    started: dict[Library, Served] = {}

    def find(library: Library) -> Served:
        if library not in started:
            started[library] = mesh.serve(library, library)
        return started[library]

    return find


@pytest.fixture(scope="module")
def client(mesh: TrustedMesh) -> Clients:
    """The client of a library and service account, started when it is first asked for."""
    started: dict[tuple[Library, str | None], Client] = {}

    def find(library: Library, account: str | None = CLIENT) -> Client:
        if (library, account) not in started:
            started[library, account] = mesh.client(library, account)
        return started[library, account]

    return find
