"""ServerPolicies that must be validated alike by an API server with the CRD and by steerway's types and rules."""

from collections.abc import Mapping
from typing import Any

from tests.support.example.policy_example import SERVICE, Broken, Mistyped

PORT = {**SERVICE, "sectionName": "grpc"}

BROKEN = (
    Broken(
        "tls.replaces needs targetRefs with a sectionName, the port that replaces others",
        {"targetRefs": [PORT, SERVICE], "tls": {"mode": "Strict", "replaces": ["plain"]}},
        {"targetRefs": [PORT], "tls": {"mode": "Strict", "replaces": ["plain"]}},
        (),
    ),
    Broken("give tls or authorization", {}, {"authorization": {}}, ()),
)
"""For each rule what breaks it, and nothing else, and what just does not."""

MISTYPED = (
    Mistyped("no mode", {"tls": {}}, ("tls",), "field mode is missing"),
    Mistyped("unknown mode", {"tls": {"mode": "STRICT"}}, ("tls", "mode"), "unknown value 'STRICT'"),
    Mistyped("no target", {"targetRefs": [], "tls": {"mode": "Off"}}, ("targetRefs",), "the list is empty"),
    Mistyped(
        "a route as target",
        {"targetRefs": [{**SERVICE, "kind": "GRPCRoute"}], "tls": {"mode": "Off"}},
        ("targetRefs", 0, "kind"),
        "unknown value 'GRPCRoute'",
    ),
    Mistyped(
        "no accounts",
        {"tls": {"mode": "Strict", "serviceAccounts": []}},
        ("tls", "serviceAccounts"),
        "the list is empty",
    ),
    Mistyped(
        "unknown default",
        {"authorization": {"default": "Refuse"}},
        ("authorization", "default"),
        "unknown value 'Refuse'",
    ),
    Mistyped(
        "unknown field",
        {"tls": {"mode": "Strict", "replace": ["plain"]}},
        ("tls", "replace"),
        "unknown field 'replace': did you mean replaces?",
    ),
)
"""What types refuse."""

FULL: Mapping[str, Any] = {
    "targetRefs": [PORT],
    "tls": {"mode": "Strict", "replaces": ["plain"], "serviceAccounts": ["backend"]},
    "authorization": {"default": "Deny", "unsupported": "Serve"},
}
"""A spec with every field."""
