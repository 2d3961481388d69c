"""`steerway diff` on files: exit codes, forms of output, and what is wrong with the input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from steerway.cli import main
from tests.support.log_setup import restored_logging
from tests.unit.diff.conftest import SHOP

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Run:
    """Run `steerway diff` with `new` against `SHOP`."""

    def diff(new: str, *options: str) -> tuple[int, str, str]:
        (tmp_path / "live.yaml").write_text(SHOP)
        (tmp_path / "new.yaml").write_text(new)
        with restored_logging():
            files = [str(tmp_path / "new.yaml"), "--against", str(tmp_path / "live.yaml")]
            code = main(["diff", *files, *options])
        output = capsys.readouterr()
        return code, output.out, output.err

    return diff


def test_the_exit_code_is_that_of_diff(run: Run) -> None:
    """0 for no difference, 1 for one, 2 for an error."""
    assert run(SHOP) == (0, "No difference for clients\n", "")
    code, out, err = run(SHOP.replace("10.0.0.2", "10.0.0.3"))
    assert (code, err) == (1, "")
    assert "  + port 50051 (grpc) endpoint 10.0.0.3:50051: healthy, zone eu-1b\n" in out
    code, out, err = run("kind: Service")
    assert (code, out) == (2, "")
    assert "new.yaml:1: apiVersion is missing: add apiVersion" in err


def test_json_and_yaml_hold_the_same_document(run: Run) -> None:
    """For programs, with nothing else on stdout."""
    new = SHOP.replace("10.0.0.2", "10.0.0.3")
    as_json, as_yaml = run(new, "-o", "json"), run(new, "-o", "yaml")
    assert as_json[0] == as_yaml[0] == 1
    document = json.loads(as_json[1])
    assert document == yaml.safe_load(as_yaml[1])
    assert document["differences"]
    assert document["clients"] is None


def test_verbose_shows_the_lines_of_a_resource(run: Run) -> None:
    out = run(SHOP.replace("10.0.0.2", "10.0.0.3"), "-v")[1]
    assert '-        "address": "10.0.0.2",' in out
    assert '+        "address": "10.0.0.3",' in out


def test_a_missing_path_and_a_missing_cluster_are_errors(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """With the fix, and the exit code of an error."""
    with restored_logging():
        assert main(["diff", str(tmp_path / "absent")]) == 2
        assert "does not exist: correct the path" in capsys.readouterr().err
        (tmp_path / "a.yaml").write_text(SHOP)
        assert main(["diff", str(tmp_path), "--kubeconfig", str(tmp_path / "absent")]) == 2
    assert "give --kubeconfig FILE" in capsys.readouterr().err


def test_another_selector_is_a_difference_though_its_endpoints_are_not_known(run: Run) -> None:
    """Kubernetes makes the EndpointSlices; a default of the API server is no difference."""
    selector = "spec: {selector: {app: a}, ports: [{port: 50051, name: grpc, targetPort: 50051}]}"
    written = SHOP.replace("spec: {ports: [{port: 50051, name: grpc}]}", selector)
    code, out, _ = run(written)
    assert code == 1
    assert "Service shop/backend: the selector changes (none → app=a)" in out
    assert "targetPort" not in out
