"""`steerway check --kubernetes` on the command line: options, output and exit codes."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from steerway.cli.cluster import check
from steerway.kubecheck.result import Check, Level, Outcome, Result

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """Of an API server that does not exist."""
    file = tmp_path / "kubeconfig"
    entries = {
        "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:9"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c"}}],
        "current-context": "c",
    }
    file.write_text(yaml.safe_dump(entries))
    return str(file)


@pytest.mark.parametrize("more", [(), ("--pre",)])
def test_an_api_server_that_does_not_answer(steerway: Run, kubeconfig: str, more: tuple[str, ...]) -> None:
    """One error with its fix and link; the other checks do not run."""
    code, out, err = steerway("check", "--kubernetes", "--kubeconfig", kubeconfig, *more)
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0] == "Kubernetes API"
    assert lines[1].startswith("✗ api-server: not checked: GET /version: connection refused")
    assert "nothing listens there" in lines[2]
    assert lines[3].strip() == "guides/check.html#api-server"
    assert lines[-1].startswith("1 ✗, ")
    assert lines[-1].endswith("checks did not run, since those that they require have failed")


def test_json_has_every_check(steerway: Run, kubeconfig: str) -> None:
    code, out, _ = steerway("check", "--kubernetes", "--kubeconfig", kubeconfig, "-o", "json")
    document = json.loads(out)
    assert (code, document["ok"]) == (1, False)
    checks = [check for section in document["sections"] for check in section["checks"]]
    assert len(checks) > 15
    assert {"level", "text", "hint", "manifest"} == checks[0]["results"][0].keys()
    assert checks[0]["link"] == "guides/check.html#api-server"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--kubernetes", "a.yaml"), "remove PATH and --config"),
        (("--pre", "a.yaml"), "--pre has no effect without --kubernetes"),
        (("-o", "json", "a.yaml"), "-o has no effect without --kubernetes"),
        (("--kubernetes", "--injection"), "--injection has no effect without --pre"),
        (("--steerway-namespace", "a", "a.yaml"), "--steerway-namespace has no effect without --kubernetes"),
        (("--address", "a:1", "a.yaml"), "--address has no effect without --kubernetes"),
    ],
)
def test_options_without_effect(steerway: Run, arguments: tuple[str, ...], reason: str) -> None:
    code, _, err = steerway("check", *arguments)
    assert code == 2
    assert reason in err


def test_output_of_each_level(capsys: pytest.CaptureFixture[str]) -> None:
    """`short` leaves out what is as it should be."""

    async def unused(_context: object) -> list[Result]:
        return []

    results = tuple(
        Result(level, level.value, "line\nnext" if level is Level.ERROR else "") for level in Level
    )
    for form in ("table", "short"):
        report = check._Report(form)
        report.add(Outcome("Section", Check("name", unused), results))
        assert report.conclude() == 1
    table, _, short = capsys.readouterr().out.partition("1 ✓, 1 !, 1 ✗, 1 -\n")
    assert [line for line in table.splitlines() if line] == [
        "Section",
        "✓ ok",
        "! warning",
        "      guides/check.html#name",
        "✗ error",
        "    → line",
        "      next",
        "      guides/check.html#name",
        "- skipped",
    ]
    assert [line for line in short.splitlines() if line] == [
        "Section",
        "! warning",
        "      guides/check.html#name",
        "✗ error",
        "    → line",
        "      next",
        "      guides/check.html#name",
        "1 ✓, 1 !, 1 ✗, 1 -",
    ]
