"""`steerway serve` up to the moment when the program proper starts."""

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from steerway import config
from steerway.config import Settings

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def ignored(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Stands for the signals of this process, which stay as they are: whether they are ignored."""
    ignored: list[bool] = []
    monkeypatch.setattr("steerway.runtime.signals.ignore", lambda: ignored.append(True))
    return ignored


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Settings]:
    """Stands for the program: keeps the settings that it is started with, announces a port, and ends with
    0."""
    retained: list[Settings] = []
    app = ModuleType("steerway.app")

    def run(settings: Settings, announce: Callable[[str], None]) -> int:
        retained.append(settings)
        announce("listening on 127.0.0.1:45123")
        return 0

    app.run = run  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "steerway.app", app)
    monkeypatch.setattr("steerway.app", app, raising=False)
    monkeypatch.setattr("steerway.log.setup.configure", lambda *_: None)
    for setting in config.SETTINGS.values():
        monkeypatch.delenv(setting.variable, raising=False)
    monkeypatch.delenv("CONFIG", raising=False)
    return retained


def test_flags_become_settings(steerway: Run, started: list[Settings]) -> None:
    """The most common flags, with their types."""
    code, out, err = steerway(
        *("serve", "--files", "a", "--files", "b", "--kubernetes", "--kubeconfig", "k", "--context", "c"),
        *("--namespace", "shop", "--namespace", "pay", "--listen", "127.0.0.1:0", "--admin", "[::1]:0"),
        *("--log-format", "json", "--drain-seconds", "2.5", "--upstream-service", "shop/web"),
    )
    assert (code, out, err) == (0, "listening on 127.0.0.1:45123\n", "")
    (settings,) = started
    assert settings.files == (Path("a"), Path("b"))
    assert settings.kubernetes == config.KubernetesSettings(
        enabled=True, kubeconfig=Path("k"), context="c", namespaces=("shop", "pay")
    )
    assert (settings.listen, settings.admin, settings.log_format) == (("127.0.0.1:0",), "[::1]:0", "json")
    assert (settings.drain_seconds, settings.upstream_services) == (2.5, ("shop/web",))


def test_signals_that_mean_no_end_do_not_end_a_start(
    steerway: Run, started: list[Settings], ignored: list[bool]
) -> None:
    """They may come as soon as there is a process."""
    steerway("serve", "--files", "a")
    assert (len(started), ignored) == (1, [True])


def test_file_environment_and_flags_are_merged(
    steerway: Run, started: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each layer overrides the one before; a flag can switch off what the file switched on."""
    file = tmp_path / "s.yaml"
    file.write_text(
        "{kubernetes: {enabled: true, context: c}, files: [a], threads: 1, drain_seconds: 1}", "utf-8"
    )
    monkeypatch.setenv("STEERWAY_THREADS", "2")
    code, _, _ = steerway("serve", "--config", str(file), "--no-kubernetes", "--drain-seconds", "3")
    assert code == 0
    (settings,) = started
    assert (settings.kubernetes.enabled, settings.threads, settings.drain_seconds) == (False, 2, 3.0)


def test_without_a_source_the_error_names_the_flags_that_set_one(
    steerway: Run, started: list[Settings]
) -> None:
    """A control plane without a source is an error."""
    code, out, err = steerway("serve")
    assert (code, out, started) == (2, "", [])
    assert err == (
        "error: no source of Services: set --files DIR (manifests) or --kubernetes (an API server), or both\n"
    )


def test_the_environment_of_k8s_xds_needs_no_flag(
    steerway: Run, started: list[Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`CONFIG` names its app.yaml, and Services are read from Kubernetes."""
    file = tmp_path / "app.yaml"
    file.write_text(
        "nodeId: nodeId\nmaxConcurrentStreams: 1000\nmanagementServer:\n  port: 9000\n"
        "upstreamServices: [demo-server-headless]\n"
    )
    monkeypatch.setenv("CONFIG", str(file))
    code, _, err = steerway("serve")
    assert (code, err) == (
        0,
        f"note: no source of Services is set: as k8s-xds with {file}, they are read from Kubernetes\n",
    )
    (settings,) = started
    assert settings.kubernetes == config.KubernetesSettings(enabled=True)
    assert (settings.listen, settings.upstream_services) == (("0.0.0.0:9000",), ("demo-server-headless",))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, "app.yaml: cannot read the settings file: No such file or directory"),
        (
            "managementServer: {port: 99999}",
            "app.yaml:1: managementServer.port must be a port from 0 to 65535",
        ),
        ("nodeId: a\nupstreams: [a]", "app.yaml:2: unknown key upstreams"),
    ],
)
def test_an_error_in_the_file_of_k8s_xds_has_its_line(
    steerway: Run,
    started: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    text: str | None,
    error: str,
) -> None:
    """As for a file of steerway's own."""
    file = tmp_path / "app.yaml"
    if text is not None:
        file.write_text(text)
    monkeypatch.setenv("CONFIG", str(file))
    code, _, err = steerway("serve")
    assert (code, started) == (2, [])
    assert error in err


@pytest.mark.parametrize("arguments", [("--files", "a"), ("--no-kubernetes",), ("--config", "CONFIG")])
def test_the_variable_of_k8s_xds_is_read_only_without_a_source(
    steerway: Run,
    started: list[Settings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: tuple[str, ...],
) -> None:
    """Other programs have a variable of this name, too."""
    file = tmp_path / "app.yaml"
    file.write_text("managementServer: {port: 9000}")
    monkeypatch.setenv("CONFIG", str(file))
    code, _, err = steerway("serve", *(argument.replace("CONFIG", str(file)) for argument in arguments))
    assert "k8s-xds" not in err
    assert (code, len(started)) == ((0, 1) if "--files" in arguments else (2, 0))


def test_invalid_settings_are_reported_together(steerway: Run, started: list[Settings]) -> None:
    """One line each, exit code 2, nothing started."""
    code, _, err = steerway("serve", "--files", "a", "--listen", "x", "--threads", "y")
    assert (code, started) == (2, [])
    assert [line[:16] for line in err.splitlines()] == ["error: --listen ", "error: --threads"]


@pytest.mark.parametrize("command", ["serve", "signer"])
def test_every_setting_has_a_flag_in_its_section(steerway: Run, command: str) -> None:
    """`--help` lists the sections with their descriptions, in the order of docs/settings.md."""
    _, out, _ = steerway(command, "--help")
    start = 0
    sections = [section for section in config.SECTIONS if command in section.commands]
    for section in sections:
        title = f"\n{section.title}:\n  "
        start = out.index(title, start) + len(title)
        part = out[start:].partition("\n\n\n")[0]
        words = " ".join(part.split())
        assert words.startswith(section.description)
        assert [s.flag for s in config.SETTINGS.values() if s.section is section and s.flag not in part] == []
    flags = [setting.flag for setting in config.SETTINGS.values() if setting.section in sections]
    assert [flag for flag in flags if flag not in out] == []
