"""The guides for a move from another control plane: manifests are valid, commands run, findings are those stated."""

from pathlib import Path

import pytest
import yaml

from steerway import app
from steerway.cli import main
from steerway.config import Settings
from tests.support.example import guide, migration

AFTER = [(name, number) for name in migration.NAMES for number, _ in enumerate(guide.blocks(name))]


def check(text: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "manifest.yaml").write_text(text)
    code = main(["check", str(folder)])
    return code, capsys.readouterr().out


def test_every_guide_has_both_states() -> None:
    """Of four control planes."""
    assert migration.NAMES == (
        "from-istio-proxyless",
        "from-k8s-xds",
        "from-semaphore-xds",
        "from-wongnai-xds",
    )
    for name in migration.NAMES:
        assert guide.blocks(name, migration.BEFORE), name
    assert len(AFTER) == 6


@pytest.mark.parametrize(("name", "number"), AFTER)
def test_manifests_after_the_move_would_be_served(
    name: str, number: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All objects, without an error or a warning."""
    text = guide.blocks(name)[number]
    code, out = check(text, tmp_path, capsys)
    assert code == 0, out
    assert out.count("✓") == len(list(yaml.safe_load_all(text))), out
    assert "! " not in out


def test_manifests_of_istio_and_semaphore_are_not_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are no error in a folder of manifests."""
    for name, count in (("from-istio-proxyless", 2), ("from-semaphore-xds", 1)):
        (text,) = guide.blocks(name, migration.BEFORE)
        _, out = check(text, tmp_path, capsys)
        assert "✗" not in out
        assert out.endswith(f"0 good, 0 broken, {count} not read (-v lists them)\n"), out


def test_a_gateway_of_wongnai_is_a_warning_with_the_route_of_the_guide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The hint names what the manifest after the move has."""
    (text,) = guide.blocks("from-wongnai-xds", migration.BEFORE)
    code, out = check(text, tmp_path, capsys)
    assert code == 0, out
    assert "manifest.yaml:1: Service shop/cart: annotation xds.lmwn.com/api-gateway: apigw1" in out
    assert "a Service apigw1 without selector" in out
    assert "method.service shop.Cart or shop.Checkout" in out


def test_commands_run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As they are pasted; a server ends before it starts."""
    started: list[Settings] = []

    def run(settings: Settings, _announce: object) -> int:
        started.append(settings)
        return 0

    monkeypatch.setattr(app, "run", run)
    ran = [arguments for name in migration.NAMES for arguments in migration.commands(name)]
    assert sorted(arguments[0] for arguments in ran) == ["bootstrap", "bootstrap", "serve"]
    for arguments in ran:
        assert main(arguments) == 0, capsys.readouterr().err
    (settings,) = started
    assert settings.cluster_policy == "local_first"
    assert [cluster.name for cluster in settings.clusters] == ["aws"]
