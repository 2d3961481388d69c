"""The commands of the guide, as they are written there: each installs, changes or removes what the text states.

The pods run this checkout: a file of values names its program in place of the image. Everything else is the chart's.
"""

import base64
import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from testbed.certificate import Authority
from testbed.client.ads_question import ask
from testbed.client.grpc_client import Client, Load
from testbed.cluster import network
from testbed.cluster.gateway_crds import policy_crds
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import PORT, deployment
from testbed.helm.guide_shell import GuideShell, commands
from testbed.helm.tools import Tools
from testbed.manifest import service
from testbed.process.deadline import until
from testbed.process.process import Processes
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.install.installed import RUN, Installed, create_namespace, kinds_of, objects
from tests.support.chart.kustomize_base import CHART

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go"), pytest.mark.usefixtures("definitions")]

TEXT = (CHART.parents[1] / "docs" / "guides" / "install.md").read_text()
GUIDE = commands(TEXT)
STORY = ("Helm", "Security", "Injection", "Monitoring", "Upgrade", "Uninstall")
"""The sections of one installation, in their order."""
SYSTEM = "steerway-system"


@pytest.fixture
def shell(tools: Tools, tmp_path: Path) -> GuideShell:
    (tmp_path / "run.yaml").write_text(yaml.safe_dump(RUN))
    return GuideShell(tools, tmp_path, tmp_path / "run.yaml")


@pytest.fixture
def empty(tools: Tools) -> Iterator[None]:
    """Without the namespaces and the definition of the guide, before and after."""

    def clear(*wait: str) -> None:
        tools.run("kubectl", "delete", "namespace", SYSTEM, "shop", "--ignore-not-found", *wait)
        definitions = [definition["metadata"]["name"] for definition in policy_crds()]
        tools.run("kubectl", "delete", "crd", *definitions, "--ignore-not-found")
        for kind in ("clusterrole", "clusterrolebinding"):
            label = "--selector=app.kubernetes.io/name=steerway"
            tools.run("kubectl", "delete", kind, label, "--ignore-not-found")

    clear()
    create_namespace(tools, "shop")
    yield
    clear("--wait=false")


@pytest.fixture
def backends(namespace: Namespace) -> list[str]:
    """The addresses of two pods behind the Service `backend`."""
    ports, selector = {"grpc": PORT}, {"app": "backend"}
    wanted = service("backend", ports, headless=True, namespace=namespace.name, selector=selector)
    namespace.api.apply(wanted, deployment("backend", namespace.name, 2))
    return list(namespace.wait_for_pods("backend", 2).values())


@pytest.fixture
def in_pod(namespace: Namespace, backends: list[str]) -> Iterator[list[str]]:
    """The test is in the network of a pod of its namespace, which does nothing; the addresses of the backends."""
    command = [sys.executable, "-c", "import signal; signal.pause()", namespace.name]
    spec = {
        "terminationGracePeriodSeconds": 0,
        "containers": [{"name": "main", "image": "none", "command": command}],
    }
    namespace.create_pod("client", spec)
    with network.inside(until(lambda: _network_of(command), "the process of the pod")):
        yield backends


def _network_of(command: list[str]) -> Path | None:
    """The network namespace of the process with this command line."""
    wanted = b"".join(part.encode() + b"\0" for part in command)
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (process / "cmdline").read_bytes() == wanted:
                return process / "ns" / "net"
    return None


@pytest.mark.usefixtures("empty")
def test_an_installation_from_the_beginning_to_its_end(
    tools: Tools, shell: GuideShell, namespace: Namespace, in_pod: list[str], processes: Processes
) -> None:
    """A client in a pod calls all the time, and no call fails: not while all replicas are replaced, three times."""
    kinds = kinds_of(tools)
    before = objects(tools, kinds)
    shell.run(*GUIDE["Helm"])
    path = "--output=jsonpath={.data.bootstrap\\.json}"
    bootstrap = json.loads(
        tools.run("kubectl", "get", "configmap", "steerway-bootstrap", "--namespace=shop", path)
    )
    assert bootstrap["xds_servers"][0]["server_uri"] == f"steerway.{SYSTEM}:18000"
    installed = Installed(tools, SYSTEM)
    first = installed.pods()
    assert len(first) == 2
    with traffic(installed, shell, namespace, processes) as load:
        load.settle(*in_pod)
        web = f"spiffe://cluster.local/ns/{namespace.name}/sa/web"
        write_certificates(shell.folder, installed.address(), web)
        for section in ("Security", "Injection", "Monitoring", "Upgrade"):
            shell.run(*GUIDE[section])
            installed.wait_for_rollout()
        server = until(lambda: injected(tools), "the API server calls the webhook")
        assert server == f"steerway.{SYSTEM}.svc:18000"
        load.settle(*in_pod)
        load.go_on(100)
        files = {"ca": "ca.crt", "certificate": "client.crt", "key": "client.key"}
        options = " ".join(f"--{option} {shell.folder / file}" for option, file in files.items())
        with traffic(installed, shell, namespace, processes, 18443, f"--creds tls {options}") as with_tls:
            with_tls.settle(*in_pod)
            wanted = {("certificate", web), ("pod_address", f"service account {namespace.name}/default")}
            until(
                lambda: identities(installed) == wanted,
                lambda: f"both clients are connected again; now {identities(installed)}",
            )
    assert load.failures == []
    until(lambda: not installed.pods() & first, "the end of all pods that were there before")
    shell.run(*GUIDE["Uninstall"])
    until(
        lambda: objects(tools, kinds) - before == {"ConfigMap/shop/steerway-bootstrap"},
        lambda: f"only what the user created is left: {objects(tools, kinds) - before}",
    )


@contextlib.contextmanager
def traffic(
    installed: Installed,
    shell: GuideShell,
    namespace: Namespace,
    processes: Processes,
    port: int = 18000,
    options: str = "",
) -> Iterator[Load]:
    """A call every 10 ms from where the test is, by a client of this port of steerway."""
    server = f"{installed.address()}:{port}"
    file = shell.folder / f"client-{port}.json"
    file.write_text(shell.run(f"steerway bootstrap --server {server} --namespace {namespace.name} {options}"))
    client = Client(processes, "grpcio", file)
    channel = client.dial(namespace.target())
    channel.wait_for_answer()
    with channel.load() as load:
        yield load
    client.end()


def injected(tools: Tools) -> str:
    """The server in the bootstrap that a new pod of the namespace `shop` would get."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "client", "namespace": "shop"},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }
    options = ("--dry-run=server", "--output=json", "--filename=-")
    created = json.loads(tools.run("kubectl", "create", *options, stdin=json.dumps(pod)))
    variables = {
        item["name"]: item.get("value", "") for item in created["spec"]["containers"][0].get("env", [])
    }
    bootstrap = json.loads(variables.get("GRPC_XDS_BOOTSTRAP_CONFIG", "{}"))
    return str(bootstrap["xds_servers"][0]["server_uri"]) if bootstrap else ""


def identities(installed: Installed) -> set[tuple[str, str]]:
    """Method and name of the clients of all replicas, by the admin server, whose token is required."""
    encoded = installed.kubectl("get", "secret", "steerway-admin", "--output=jsonpath={.data.token}")
    token = {"Authorization": f"Bearer {base64.b64decode(encoded).decode()}"}
    streams = []
    for address in installed.addresses():
        url = f"http://{address}:18001/api/v1/streams"
        assert httpx.get(url, trust_env=False).status_code == httpx.codes.UNAUTHORIZED
        streams += httpx.get(url, headers=token, trust_env=False).json()["streams"]
    return {(stream["identity"]["method"], stream["identity"]["name"]) for stream in streams}


@pytest.mark.usefixtures("empty")
def test_kustomize(
    tools: Tools, shell: GuideShell, namespace: Namespace, in_pod: list[str], processes: Processes
) -> None:
    """The base through the overlay of the guide, and what Helm renders through kubectl; a process that is no pod gets
    nothing."""
    overlay = yaml.safe_load(guide_block("kind: Kustomization"))
    command = [{"op": "add", "path": "/spec/template/spec/containers/0/command", "value": RUN["command"]}]
    owner = [
        {"op": "replace", "path": "/spec/template/spec/securityContext", "value": RUN["podSecurityContext"]}
    ]
    target = {"kind": "Deployment", "name": "steerway"}
    overlay["patches"] = [{"target": target, "patch": json.dumps([*command, *owner])}]
    (shell.folder / "overlay").mkdir()
    (shell.folder / "overlay" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    create, apply, template, apply_rendered = GUIDE["kustomize"]
    shell.run(create, apply)
    installed = Installed(tools, SYSTEM)
    installed.wait_for_rollout()
    with traffic(installed, shell, namespace, processes) as load:
        load.settle(*in_pod)
    name = namespace.target().removeprefix("xds:///")
    with namespace.cluster.network.entered():
        refused = ask(f"{installed.address()}:18000", "", namespace.name, name)
    assert refused["status"] in ("UNAUTHENTICATED", "UNAVAILABLE")
    shell.run(template, apply_rendered)


@pytest.mark.usefixtures("empty")
def test_one_namespace(tools: Tools, shell: GuideShell) -> None:
    """By a user with the permissions of an administrator of that namespace only."""
    tools.run(
        "kubectl", "create", "rolebinding", "owner", "--clusterrole=admin", "--user=owner", "--namespace=shop"
    )
    shell.run(*(f"{command} --kube-as-user owner" for command in GUIDE["One namespace"]))
    Installed(tools, "shop").wait_for_rollout()


def guide_block(word: str) -> str:
    """The YAML block of the guide that contains the word."""
    blocks = [block.partition("```")[0] for block in TEXT.split("```yaml\n")[1:]]
    (block,) = (block for block in blocks if word in block)
    return block


def write_certificates(folder: Path, address: str, client: str) -> None:
    """The files of the Secret, also for the address of the Service, and those of a client."""
    authority = Authority()
    (folder / "ca.crt").write_bytes(authority.certificate)
    server = ("steerway.steerway-system", "steerway.steerway-system.svc", address)
    for name, names in (("tls", server), ("client", (client,))):
        issued = authority.issue(*names)
        (folder / f"{name}.crt").write_bytes(issued.certificate)
        (folder / f"{name}.key").write_bytes(issued.key)


def test_every_section_with_commands_is_run_here() -> None:
    assert set(GUIDE) == {*STORY, "kustomize", "One namespace"}
    assert sum(map(len, GUIDE.values())) > 12
