"""`steerway check` about policies of servers: targets, ports, and rules that match no call."""

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 50051, name: grpc}]}
---
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: frontend, namespace: shop}
"""
STRICT = """
apiVersion: steerway.io/v1alpha1
kind: ServerPolicy
metadata: {name: all, namespace: shop}
spec: {tls: {mode: Strict}}
"""


def authorization(spec: str) -> str:
    head = (
        "apiVersion: steerway.io/v1alpha1\nkind: AuthorizationPolicy\nmetadata: {name: a, namespace: shop}\n"
    )
    return f"{head}spec: {{{spec}}}\n"


def rule(fields: str) -> str:
    return authorization(f"rules: [{{{fields}}}]")


TARGET = "targetRefs: [{group: '', kind: Service, name: "


@pytest.mark.parametrize(
    ("policy", "mark", "line"),
    [
        (authorization(f"{TARGET}crt}}]"), "✗", "Service shop/crt is not in these files"),
        (authorization(f"{TARGET}cart, sectionName: http}}]"), "✗", "has no port named http"),
        (authorization("action: Deny"), "✗", "a policy that denies needs rules"),
        (
            rule("from: [{principals: ['spiffe://example.org/ns/a/sa/b']}]"),
            "!",
            "matches no client: certificates are of trust domain cluster.local",
        ),
        (
            rule("headers: [{name: x, value: a}, {name: x, value: b}]"),
            "!",
            "rule 0 matches no call: two values of header x",
        ),
        (
            rule("from: [{namespaces: [wbe]}]"),
            "-",
            "rule 0: namespace wbe is not known, by the objects of these",
        ),
        (
            rule("from: [{serviceAccounts: [front]}]"),
            "-",
            "rule 0: service account shop/front is not known, by the objects of these files",
        ),
    ],
)
def test_what_matches_nothing_is_reported(
    steerway: Run, tmp_path: Path, policy: str, mark: str, line: str
) -> None:
    """With its fix."""
    (tmp_path / "a.yaml").write_text("---".join((SERVICE, STRICT, f"\n{policy}")))
    code, out, _ = steerway("check", str(tmp_path))
    assert code == (1 if mark == "✗" else 0)
    lines = [text for text in out.splitlines() if line in text]
    assert [text.lstrip()[0] for text in lines] == [mark], out


def test_a_good_rule_has_no_finding(steerway: Run, tmp_path: Path) -> None:
    """Every principal of the own trust domain may match."""
    sources = (
        "{serviceAccounts: [frontend, shop/default], namespaces: [shop], principals: ['spiffe://cluster*']}"
    )
    (tmp_path / "a.yaml").write_text("---".join((SERVICE, STRICT, "\n" + rule(f"from: [{sources}]"))))
    code, out, _ = steerway("check", str(tmp_path))
    assert code == 0
    findings = [line for line in out.splitlines() if "AuthorizationPolicy shop/a:" in line]
    assert all("is not supported by grpc-js" in line for line in findings), out


@pytest.mark.parametrize("target", ["", f"{TARGET}cart}}], "])
def test_without_tls_no_client_has_an_identity(steerway: Run, tmp_path: Path, target: str) -> None:
    """So that rules with `from` match nothing."""
    policy = authorization(f"{target}rules: [{{from: [{{namespaces: [shop]}}]}}]")
    (tmp_path / "a.yaml").write_text("---".join((SERVICE, f"\n{policy}")))
    _, out, _ = steerway("check", str(tmp_path))
    assert "rules with from match no call: its servers speak plaintext" in out
    (tmp_path / "b.yaml").write_text(STRICT)
    _, out, _ = steerway("check", str(tmp_path))
    assert "speak plaintext" not in out


def test_a_port_to_replace_must_exist(steerway: Run, tmp_path: Path) -> None:
    """By its name."""
    spec = f"spec: {{{TARGET}cart, sectionName: grpc}}], tls: {{mode: Strict, replaces: [plain]}}}}"
    (tmp_path / "a.yaml").write_text("---".join((SERVICE, STRICT.partition("spec")[0] + spec)))
    code, out, _ = steerway("check", str(tmp_path))
    assert code == 1
    assert "Service shop/cart has no port plain that grpc could replace" in out
