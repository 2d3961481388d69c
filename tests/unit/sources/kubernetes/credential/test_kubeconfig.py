"""Merging of kubeconfig files; the error for a missing name lists the existing ones."""

from pathlib import Path

import pytest

from steerway.errors import SourceError
from steerway.sources.kubernetes.access import Access, load
from steerway.sources.kubernetes.credential.kubeconfig import read

CONFIG = """\
current-context: staging
clusters: [{name: one, cluster: {server: https://one}}, {name: two, cluster: {server: https://two}}]
users: [{name: alice, user: {token: t}}]
contexts:
- {name: staging, context: {cluster: one, user: alice}}
- {name: anonymous, context: {cluster: one}}
- {name: no-cluster, context: {user: alice}}
- {name: other-cluster, context: {cluster: three, user: alice}}
- {name: other-user, context: {cluster: two, user: bob}}
"""


def reason(paths: list[Path], context: str | None) -> str:
    """Why there is no cluster and user for a context; "" when there is."""
    try:
        read(paths).choose(context)
    except SourceError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("context", "expected"),
    [
        (None, ""),
        ("staging", ""),
        ("anonymous", ""),
        (
            "production",
            "there is no context production: choose another with --context"
            " (contexts: anonymous, no-cluster, other-cluster, other-user, staging)",
        ),
        ("no-cluster", "context no-cluster names no cluster: add one (clusters: one, two)"),
        (
            "other-cluster",
            "context other-cluster names cluster three, which is not defined: correct it (clusters: one, two)",
        ),
        ("other-user", "context other-user names user bob, which is not defined: correct it (users: alice)"),
    ],
)
def test_a_missing_name_is_reported_with_the_existing_ones(
    tmp_path: Path, context: str | None, expected: str
) -> None:
    file = tmp_path / "config"
    file.write_text(CONFIG)
    assert reason([file], context) == expected


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("contexts: []", "no current-context is set: choose one with --context (contexts: none)"),
        (
            "current-context: gone\ncontexts: [{name: a}]",
            "there is no context gone, which current-context names: choose another with --context (contexts: a)",
        ),
        (
            "contexts: [1, {}, {name: a}]",
            "no current-context is set: choose one with --context (contexts: a)",
        ),
        ("", "no current-context is set: choose one with --context (contexts: none)"),
        ("[1, 2]", "FILE: not an object with clusters, users and contexts"),
        (
            "contexts: [",
            "FILE: not YAML: while parsing a flow node expected the node content, but found '<stream end>' in"
            ' "<unicode string>", line 1, column 12: contexts: [ ^ (check it with: kubectl config view)',
        ),
        (
            "current-context: a\ncontexts: [{name: a, context: {cluster: 1}}]",
            "context a: cluster is not a string",
        ),
    ],
)
def test_malformed_files_are_reported(tmp_path: Path, content: str, expected: str) -> None:
    """With the object that is malformed."""
    file = tmp_path / "config"
    file.write_text(content)
    assert reason([file], None).replace(str(file), "FILE") == expected


def test_several_files_are_merged(tmp_path: Path) -> None:
    """The first file with a current-context or an entry of a name is used; paths are relative to the entry's file."""
    first, second = tmp_path / "one" / "first", tmp_path / "two" / "second"
    for path in (first, second):
        path.parent.mkdir()
    first.write_text(
        "contexts: [{name: a, context: {cluster: one, user: u}}]\nusers: [{name: u, user: {token: t}}]"
    )
    second.write_text(
        "current-context: a\nclusters: [{name: one, cluster: {certificate-authority: ca.pem}}]\n"
        "contexts: [{name: a, context: {cluster: two}}]\nusers: [{name: u, user: {token: other}}]"
    )
    (second.parent / "ca.pem").write_bytes(b"authority")
    cluster, user = read([first, second]).choose(None)
    assert cluster.content("certificate-authority") == b"authority"
    assert user is not None
    assert user.text("token") == "t"


@pytest.mark.parametrize("context", ["production", "other-cluster", "other-user", "no-cluster"])
async def test_the_source_ends_with_this_error(tmp_path: Path, context: str) -> None:
    """With the file and the context in front."""
    file = tmp_path / "config"
    file.write_text(CONFIG)
    with pytest.raises(SourceError) as caught:
        await load(Access.find(file, context))
    assert str(caught.value).startswith(f"{file}, context {context}: not a usable kubeconfig: ")
    assert reason([file], context) in str(caught.value)


def test_a_pod_without_a_token_is_reported(tmp_path: Path) -> None:
    """automountServiceAccountToken: false is the usual reason."""
    environ = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "HOME": str(tmp_path)}
    with pytest.raises(SourceError, match="automountServiceAccountToken"):
        Access.find(None, None, environ, tmp_path)
