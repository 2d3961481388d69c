"""The commands of README.md, run as they are written there."""

import re
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from steerway.cli import main
from testbed.process.free_port import free_port
from testbed.process.process import Process, Processes
from tests.support.log_setup import restored_logging

ROOT = Path(__file__).parents[2]
LAPTOP, CLUSTER, TESTS = "On a laptop", "In a cluster", "Tests"
_PORTS = 5


def blocks(section: str) -> list[list[str]]:
    """The commands of each console block of a section, without their comments."""
    text = (ROOT / "README.md").read_text()
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    return [
        [re.sub(r" +# .*", "", line.removeprefix("$ ")) for line in block.splitlines()]
        for block in re.findall(r"^```console\n(.*?)^```", body, re.MULTILINE | re.DOTALL)
    ]


class Shell:
    """A shell with job control, in a folder with the examples and the virtual environment of the project."""

    def __init__(self, processes: Processes, folder: Path) -> None:
        xds, admin, first, second, third = (free_port() for _ in range(_PORTS))
        self.servers = (first, second, third)
        self._substitutions = {
            # The ports of the README may be in use on this machine: these are all that is different.
            "localhost:18000": f"localhost:{xds}",
            "server.py 50051": f"server.py {first}",
            "server.py 50052": f"server.py {second}",
            "server.py 50053": f"server.py {third}",
            "steerway explain ": f"steerway explain --admin 127.0.0.1:{admin} ",
        }
        (folder / ".venv").symlink_to(sys.prefix)
        shutil.copytree(
            ROOT / "examples", folder / "examples", ignore=shutil.ignore_patterns("backend-*.yaml")
        )
        self.process: Process = processes.start(
            "shell",
            ["/bin/bash", "--noprofile", "--norc", "-m"],
            STEERWAY_LISTEN=f"127.0.0.1:{xds}",
            STEERWAY_ADMIN=f"127.0.0.1:{admin}",
        )
        # Jobs have process groups of their own.
        self.process.write("trap 'kill -KILL $(jobs -p) 2>/dev/null' EXIT")
        self.process.write(f"cd {folder}")

    def run(self, command: str) -> None:
        for text, other in self._substitutions.items():
            command = command.replace(text, other)
        self.process.write(command)

    def wait(self, wanted: Callable[[list[str]], bool], what: str) -> None:
        """Until the lines so far are as wanted."""
        self.process.wait(lambda: wanted(self.process.lines), what)

    def wait_for_line(self, *parts: str) -> None:
        """A line that contains all parts."""
        self.wait(
            lambda lines: any(all(part in line for part in parts) for line in lines), f"a line with {parts}"
        )

    def wait_for_answers(self, *ports: int) -> None:
        """A line of the client in which these servers and no others answer."""
        names = {f"server {port}" for port in ports}

        def answered(lines: list[str]) -> bool:
            newest = [line for line in lines if line.startswith("client: ")][-1:]
            return [{part.rpartition(":")[0] for part in line[8:].split(", ")} for line in newest] == [names]

        self.wait(answered, f"answers of {names}")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    with Processes() as processes:
        shell = Shell(processes, tmp_path)
        yield shell
        shell.run("exit")
        shell.process.ended()


def test_the_quickstart_works_as_pasted(shell: Shell) -> None:
    """The client follows the servers that stop and start, and no call fails."""
    make, (serve,), start, (kill_one, start_another), (explain, kill_all) = blocks(LAPTOP)
    assert [command.split()[:2] for command in make] == [["make", "build"], ["make", "demo"]]
    first, second, third = shell.servers
    shell.run(serve)
    shell.wait_for_line("listening on")
    for command in start:
        shell.run(command)
    shell.wait_for_answers(first, second)
    shell.run(kill_one)
    shell.wait_for_answers(second)
    shell.run(start_another)
    shell.wait_for_answers(second, third)
    shell.run(explain)
    shell.wait_for_line("has acknowledged all")
    shell.run(kill_all)
    shell.run("wait")
    shell.run("echo jobs: $(jobs -pr | wc -w)")
    shell.wait_for_line("jobs: 0")
    lines, errors = shell.process.lines, shell.process.errors
    assert [
        line for line in errors if "xds_client" in line
    ] == []  # the client finds the control plane at once
    assert [line for line in lines if line.startswith("client: ") and "failed" in line] == []
    # Two servers that stop at once share a line where PYTHONUNBUFFERED makes print write text and line end apart.
    output = "\n".join(lines)
    assert [f"server {port}: stopped" in output for port in shell.servers] == [True, True, True]


def test_the_bootstrap_of_a_cluster_is_one_of_the_chart(capsys: pytest.CaptureFixture[str]) -> None:
    """For the Service of the release and the namespace that the text names."""
    ((image, install, rollout, create, bootstrap),) = blocks(CLUSTER)
    assert image.split() == ["make", "image", "IMAGE=REGISTRY/steerway", "ARGS=--push"]
    assert install.split()[:4] == ["helm", "install", "steerway", "deploy/chart"]
    assert install.endswith(" --set image.repository=REGISTRY/steerway")
    namespace = install.split()[install.split().index("--namespace") + 1]
    assert f"--namespace {namespace} " in rollout
    command, _, apply = bootstrap.partition(" | ")
    assert apply == "kubectl apply -f -"
    assert command.startswith(".venv/bin/steerway bootstrap ")
    assert main(command.split()[1:]) == 0
    manifest = yaml.safe_load(capsys.readouterr().out)
    assert manifest["metadata"] == {"name": "steerway-bootstrap", "namespace": "shop"}
    assert create == "kubectl create namespace shop"
    assert f"steerway.{namespace}:18000" in manifest["data"]["bootstrap.json"]


def test_the_policy_applies_to_the_service_of_the_quickstart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The manifests of the README are valid together."""
    (policy,) = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    file = tmp_path / "policy.yaml"
    file.write_text(policy)
    with restored_logging():
        code = main(["check", str(ROOT / "examples/quickstart/manifests/backend.yaml"), str(file)])
    output = capsys.readouterr().out
    assert (code, "2 good, 0 broken" in output) == (0, True), output


def test_the_targets_of_make_exist() -> None:
    """And no command of the README is left out of these tests."""
    make, *others = blocks(LAPTOP)
    (tests,) = blocks(TESTS)
    targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for command in (*make, *tests):
        assert command.split()[1] in targets
    count = len(make) + sum(map(len, others)) + len(tests) + sum(map(len, blocks(CLUSTER)))
    assert (ROOT / "README.md").read_text().count("\n$ ") == count
