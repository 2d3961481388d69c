"""The guide "Why does this pod get no traffic?": each command names the cause on a real cluster."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from testbed import markdown
from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from testbed.cluster.workload import deployment
from testbed.manifest import Manifest
from testbed.process.browser import Browser
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.process.process import Processes, installed
from tests.cluster.conftest import NEEDS_CLUSTER

pytestmark = [*NEEDS_CLUSTER, pytest.mark.usefixtures("kinds")]

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "no-traffic.md"
COMMANDS = markdown.blocks(GUIDE, "sh")
KINDS = ("httproutes", "referencegrants", "backendtlspolicies", "trafficpolicies")
"""What steerway may read beside Services, EndpointSlices, Pods and Nodes: all but GRPCRoutes."""
_ADMIN = "127.0.0.1:18001"
"""Where the commands look for a control plane."""


def manifests() -> Iterator[Manifest]:
    """Those of the guide. Pods run the server of the tests, with the ports and probes of the guide."""
    for block in markdown.blocks(GUIDE, "yaml"):
        for manifest in yaml.safe_load_all(block.text):
            yield _runnable(manifest) if manifest["kind"] == "Deployment" else manifest


def _runnable(manifest: Manifest) -> Manifest:
    name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
    runnable = deployment(name, namespace, manifest["spec"]["replicas"])
    (ours,), (theirs,) = (_containers(entry) for entry in (runnable, manifest))
    ours |= {"ports": theirs["ports"], "readinessProbe": theirs["readinessProbe"]}
    return runnable


def _containers(manifest: Manifest) -> list[dict[str, Any]]:
    containers: list[dict[str, Any]] = manifest["spec"]["template"]["spec"]["containers"]
    return containers


@pytest.fixture(scope="module")
def plane(cluster: Cluster, kinds: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane without one permission, when Kubernetes has made the endpoints of the guide."""
    del kinds
    with cluster.network.entered():
        shop = Namespace(cluster, tmp_path_factory.mktemp("shop"), "shop")
        shop.api.apply(*manifests())
        account = shop.account()
        account.allow("services", "endpointslices", "pods", "nodes", *KINDS, everywhere=True)
        source = ["--kubernetes", "--kubeconfig", str(account.kubeconfig()), "--namespace", "all"]
    with Processes() as processes:
        with cluster.network.entered():
            started = ControlPlane(processes, [*source, "--admin", _ADMIN, "--topology", "zone"])
            until(started.ready, lambda: f"ready: {started.get('/readyz')}")
            until(lambda: _settled(started), "the endpoints of the guide")
        yield started
        started.close()
    with cluster.network.entered():
        shop.delete()


def _settled(plane: ControlPlane) -> bool:
    """The healthy pod is known, and the other one as not ready."""

    def facts(name: str) -> Any:
        return plane.get(f"/api/v1/explain?target={name}.shop:50051").get("facts") or {}

    healthy = all(
        any(row["healthy"] for row in facts(name).get("endpoints", ())) for name in ("backend", "policy")
    )
    return (
        healthy
        and all(
            "slice" in " ".join(facts(name).get("why_no_endpoint", ())) for name in ("port-name", "selector")
        )
        and any("not ready" in why for why in facts("not-ready").get("why_no_endpoint", ()))
    )


@pytest.mark.usefixtures("plane")
def test_each_command_names_the_cause() -> None:
    """The lines that the guide shows are lines of the output; `…` stands for what differs from run to run."""
    assert len(COMMANDS) == 8
    headings = [block.heading for block in COMMANDS]
    assert len(set(headings)) == len(headings)
    missing = []
    for block in COMMANDS:
        output = _run(block.text.split())
        (shown,) = markdown.blocks(GUIDE, "text", block.heading)
        missing += [
            f"{block.heading}: {line!r} is not in\n{output}"
            for line in shown.text.splitlines()
            if not re.search(_pattern(line), output)
        ]
    assert not missing, "\n".join(missing)


@pytest.mark.needs("browser")
@pytest.mark.usefixtures("plane")
def test_each_view_of_the_page_names_the_cause(tmp_path: Path) -> None:
    """One of the lines that the guide shows is a text of the page."""
    links = re.findall(r"^On the page: `(#/.*)`\.$", GUIDE.read_text(), re.MULTILINE)
    assert len(links) == len(COMMANDS)
    with Browser(tmp_path, {}) as browser:
        assert browser.open(f"http://{_ADMIN}/") == 200
        for link, block in zip(links, COMMANDS, strict=True):
            (shown,) = markdown.blocks(GUIDE, "text", block.heading)
            patterns = [_pattern(re.sub(r"^(✗|-|error:) ", "", line)) for line in shown.text.splitlines()]
            browser.evaluate(f"location.hash = {json.dumps(link)}")

            def named(patterns: list[str] = patterns) -> bool:
                text = " ".join(browser.evaluate("document.body.innerText").split())
                return any(re.search(pattern, text) for pattern in patterns)

            until(
                named, lambda link=link: f"the cause at {link}: {browser.evaluate('document.body.innerText')}"
            )


def _pattern(line: str) -> str:
    """A regular expression of a line, in which `…` stands for what differs from run to run."""
    return ".*".join(map(re.escape, line.split("…")))


def _run(command: list[str]) -> str:
    """What a command prints, on either stream."""
    assert command[0] == "steerway"
    result = subprocess.run(
        [installed("steerway"), *command[1:]],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    assert result.returncode in (0, 1), result.stdout
    return result.stdout
