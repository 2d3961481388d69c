"""AuthorizationPolicies that must be validated alike by an API server with the CRD and by steerway's types and
rules."""

from collections.abc import Mapping
from typing import Any

from tests.support.example.policy_example import SERVICE, Broken, Mistyped


def _rules(**rule: Any) -> dict[str, Any]:
    return {"rules": [rule]}


def _header(name: str = "x-team", **fields: Any) -> dict[str, Any]:
    return _rules(headers=[{"name": name, **fields}])


def _from(**source: Any) -> dict[str, Any]:
    return _rules(**{"from": [source]})


BROKEN = (
    Broken(
        "give namespaces, serviceAccounts or principals",
        _from(),
        _from(namespaces=["web"]),
        ("rules", 0, "from", 0),
    ),
    Broken(
        "give a value, except with type Present",
        _header(type="Present", value="a"),
        _header(type="Present"),
        ("rules", 0, "headers", 0),
    ),
    Broken(
        "servers do not see this header as it is",
        _header("grpc-timeout", value="a"),
        _header("grpc", value="a"),
        ("rules", 0, "headers", 0),
    ),
    Broken(
        "give from, to or headers; a policy without rules is about every call",
        _rules(),
        _rules(to=[{"services": ["shop.Cart"]}]),
        ("rules", 0),
    ),
    Broken(
        "a policy that denies needs rules",
        {"action": "Deny"},
        {"action": "Deny", **_from(namespaces=["web"])},
        (),
    ),
)
"""For each rule what breaks it, and nothing else, and what just does not."""

MISTYPED = (
    Mistyped("unknown action", {"action": "Log"}, ("action",), "unknown value 'Log'"),
    Mistyped("unknown mode", {"mode": "Dry"}, ("mode",), "unknown value 'Dry'"),
    Mistyped("no rules in the list", {"rules": []}, ("rules",), "the list is empty"),
    Mistyped(
        "a header in upper case",
        _header("X-Team", value="a"),
        ("rules", 0, "headers", 0, "name"),
        "the string does not match ^",
    ),
    Mistyped(
        "a pseudo-header",
        _header(":path", value="a"),
        ("rules", 0, "headers", 0, "name"),
        "the string does not match ^",
    ),
    Mistyped(
        "an account of two namespaces",
        _from(serviceAccounts=["a/b/c"]),
        ("rules", 0, "from", 0, "serviceAccounts", 0),
        "the string does not match ^",
    ),
    Mistyped(
        "a principal without its scheme",
        _from(principals=["cluster.local/ns/web/sa/web"]),
        ("rules", 0, "from", 0, "principals", 0),
        "the string does not match ^",
    ),
    Mistyped(
        "a principal with a star in the middle",
        _from(principals=["spiffe://cluster.local/ns/*/sa/web"]),
        ("rules", 0, "from", 0, "principals", 0),
        "the string does not match ^",
    ),
    Mistyped(
        "a path for a service",
        _rules(to=[{"services": ["/shop.Cart/Get"]}]),
        ("rules", 0, "to", 0, "services", 0),
        "the string does not match ^",
    ),
    Mistyped(
        "no service",
        _rules(to=[{"methods": ["Get"]}]),
        ("rules", 0, "to", 0),
        "field services is missing",
    ),
    Mistyped(
        "unknown field",
        _rules(to=[{"services": ["a"], "method": ["Get"]}]),
        ("rules", 0, "to", 0, "method"),
        "unknown field 'method': did you mean methods?",
    ),
)
"""What types refuse: every kind of constraint."""

FULL: Mapping[str, Any] = {
    "targetRefs": [{**SERVICE, "sectionName": "grpc"}],
    "action": "Deny",
    "mode": "Audit",
    "rules": [
        {
            "from": [
                {"namespaces": ["web"], "serviceAccounts": ["web/web", "cart"]},
                {"principals": ["spiffe://cluster.local/ns/a/sa/b", "spiffe://cluster.local/ns/c/*"]},
            ],
            "to": [{"services": ["shop.Cart", "shop.Order"], "methods": ["Get"]}, {"services": ["a"]}],
            "headers": [
                {"name": "x-team", "value": "cart"},
                {"name": "x-user", "type": "Present"},
                {"name": "x-region", "type": "RegularExpression", "value": "eu-.*"},
            ],
        }
    ],
}
"""A spec with every field."""
