"""`steerway explain --from`: whether the servers of a service accept a call, and by what."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., tuple[int, str, str]]

SERVICE = """
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop}
spec: {selector: {app: cart}, ports: [{port: 50051, name: grpc}]}
"""
STRICT = """
apiVersion: steerway.io/v1alpha1
kind: ServerPolicy
metadata: {name: all, namespace: shop}
spec: {tls: {mode: Strict}, authorization: {default: Deny}}
"""
RULES = """
apiVersion: steerway.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: cart, namespace: shop}
spec:
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules:
  - from: [{serviceAccounts: [web/frontend]}]
    to: [{services: [shop.Cart], methods: [Get]}]
  - from: [{namespaces: [web]}]
    to: [{services: [shop.Cart], methods: [Put]}]
    headers: [{name: x-team, value: cart}]
---
apiVersion: steerway.io/v1alpha1
kind: AuthorizationPolicy
metadata: {name: audited, namespace: shop}
spec: {action: Deny, mode: Audit, rules: [{from: [{namespaces: [web]}]}]}
"""
ALL = "---".join((SERVICE, STRICT, RULES))


@pytest.fixture
def ask(steerway: Run, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """The answer about a call of cart.shop, with these manifests."""

    def run(manifests: str, caller: str, method: str, *options: str) -> tuple[int, str, str]:
        (tmp_path / "a.yaml").write_text(manifests)
        target = ("cart.shop", method, "--from", caller)
        return steerway("explain", *target, "--files", str(tmp_path), *options)

    return run


@pytest.mark.parametrize(
    ("caller", "method", "options", "line"),
    [
        ("web/frontend", "shop.Cart/Get", (), "✓ allowed: AuthorizationPolicy shop/cart rule 0"),
        (
            "spiffe://cluster.local/ns/web/sa/frontend",
            "/shop.Cart/Get",
            (),
            "✓ allowed: AuthorizationPolicy shop/cart rule 0",
        ),
        ("web/other", "shop.Cart/Get", (), "✗ denied: no rule allows it"),
        ("spiffe://example.org/ns/web/sa/frontend", "shop.Cart/Get", (), "✗ denied: no rule allows it"),
        ("web/other", "shop.Cart/Put", (), "✗ denied: no rule allows it"),
        (
            "web/other",
            "shop.Cart/Put",
            ("--header", "X-Team=cart"),
            "✓ allowed: AuthorizationPolicy shop/cart rule 1",
        ),
        (
            "none",
            "shop.Cart/Get",
            (),
            "✗ denied: clients without a certificate are refused, by ServerPolicy shop/all",
        ),
    ],
)
def test_a_call_is_decided_by_the_policies(
    ask: Run, caller: str, method: str, options: tuple[str, ...], line: str
) -> None:
    """By the accounts, methods and headers of rules."""
    code, out, err = ask(ALL, caller, method, *options)
    assert (code, err) == (0, "")
    assert f"  {line}" in out.splitlines()
    assert "  - servers listen on port 50051 with TLS Strict — ServerPolicy shop/all" in out.splitlines()


def test_policies_in_audit_mode_are_reported(ask: Run) -> None:
    """They change no result."""
    _, out, _ = ask(ALL, "web/frontend", "shop.Cart/Get")
    assert "  - audit: AuthorizationPolicy shop/audited rule 0 would refuse it" in out.splitlines()


def test_without_tls_a_caller_has_no_identity(ask: Run) -> None:
    """So that no rule with `from` matches."""
    _, out, _ = ask("---".join((SERVICE, RULES)), "web/frontend", "shop.Cart/Get")
    assert "  ✗ denied: no rule allows it" in out.splitlines()
    assert "  - servers see no identity of callers without TLS" in out.splitlines()
    _, out, _ = ask(SERVICE, "none", "shop.Cart/Get")
    assert "  ✓ allowed: no policy restricts it" in out.splitlines()


def test_permissive_servers_differ_by_library(ask: Run) -> None:
    """grpc-go does not ask for a certificate."""
    manifests = ALL.replace("Strict", "Permissive")
    _, out, _ = ask(manifests, "web/frontend", "shop.Cart/Get")
    assert "servers of grpc-go do not ask for certificates" in out
    _, out, _ = ask(manifests, "none", "shop.Cart/Get")
    assert "  ✗ denied: no rule allows it" in out.splitlines()


def test_json_has_the_answer(ask: Run) -> None:
    """With the identity that servers see."""
    _, out, _ = ask(ALL, "web/frontend", "shop.Cart/Get", "-o", "json")
    access = json.loads(out)["access"]
    assert access["from"] == access["seen_as"] == "spiffe://cluster.local/ns/web/sa/frontend"
    assert (access["allowed"], access["method"], access["port"]) == (True, "/shop.Cart/Get", 50051)
    assert access["tls"] == {"mode": "Strict", "source": "ServerPolicy shop/all"}


@pytest.mark.parametrize(
    ("caller", "method", "options", "error"),
    [
        ("frontend", "shop.Cart/Get", (), "'frontend' is no caller: write NAMESPACE/ACCOUNT"),
        ("web/frontend", "shop.Cart", (), "'shop.Cart' is no method: write it as package.Service/Method"),
        ("none", "shop.Cart/Get", ("--header", "x"), "'x' is no header: write NAME=VALUE"),
    ],
)
def test_an_invalid_call_is_refused(
    ask: Run, caller: str, method: str, options: tuple[str, ...], error: str
) -> None:
    """With its form."""
    code, out, err = ask(ALL, caller, method, *options)
    assert (code, out) == (1, "")
    assert error in err


@pytest.mark.parametrize("arguments", [("a/B",), ("--from", "none"), ("--header", "a=b")])
def test_caller_and_method_are_given_together(steerway: Run, arguments: tuple[str, ...]) -> None:
    code, _, err = steerway("explain", "cart.shop", *arguments)
    assert code == 2
    assert "--from" in err
