"""Detection of the own namespace, in the usual order of Kubernetes clients."""

from pathlib import Path

import yaml

from steerway.sources.kubernetes import detect_namespace, kubeconfig_paths


def kubeconfig(path: Path, current: str | None, **namespaces: str) -> Path:
    contexts = [
        {"name": name, "context": {"cluster": "c", "namespace": ns}} for name, ns in namespaces.items()
    ]
    path.write_text(
        yaml.safe_dump({"contexts": contexts, **({"current-context": current} if current else {})})
    )
    return path


def test_earlier_sources_take_precedence(tmp_path: Path) -> None:
    """POD_NAMESPACE, service account, context, default."""
    account = tmp_path / "account"
    account.mkdir()
    (account / "namespace").write_text("mounted\n")
    config = (kubeconfig(tmp_path / "config", "here", here="contextual", there="other"),)
    missing = tmp_path / "missing"
    assert detect_namespace({"POD_NAMESPACE": "pod"}, config, None, account) == "pod"
    assert detect_namespace({"POD_NAMESPACE": ""}, config, None, account) == "mounted"
    assert detect_namespace({}, config, None, missing) == "contextual"
    assert detect_namespace({}, config, "there", missing) == "other"
    assert detect_namespace({}, config, "unknown", missing) == "default"
    assert detect_namespace({}, (), None, missing) == "default"


def test_unreadable_files_are_skipped(tmp_path: Path) -> None:
    """They are reported when the API server is connected."""
    bad = tmp_path / "bad"
    bad.write_text("{")
    odd = tmp_path / "odd"
    odd.write_text("- 1")
    good = kubeconfig(tmp_path / "good", "here", here="found")
    assert detect_namespace({}, (tmp_path / "missing", bad, odd, good), None, tmp_path) == "found"


def test_of_several_kubeconfigs_the_first_value_counts(tmp_path: Path) -> None:
    """As kubectl merges them."""
    first = kubeconfig(tmp_path / "1", "a", a="one")
    second = kubeconfig(tmp_path / "2", "b", a="two", b="three")
    assert detect_namespace({}, (first, second), None, tmp_path) == "one"


def test_kubeconfigs_are_read_from_the_paths_of_kubectl(tmp_path: Path) -> None:
    """A given file, `$KUBECONFIG` with several, the home directory."""
    home = {"HOME": "/home/me"}
    assert kubeconfig_paths({"KUBECONFIG": "/a", **home}, tmp_path / "x") == (tmp_path / "x",)
    assert kubeconfig_paths({"KUBECONFIG": "/a::/b", **home}) == (Path("/a"), Path("/b"))
    assert kubeconfig_paths(home) == (Path("/home/me/.kube/config"),)
    assert kubeconfig_paths({}) == ()
