"""The CustomResourceDefinitions of our kinds, written from the types that decode them.

One definition for both ways in: what this schema and its CEL rules refuse on an API server, msgspec and
`broken_rules` refuse in a file. The schema also lists all fields, so that misspelt ones in a file are reported.

An API server bounds what CEL may cost by the sizes that a schema allows, so every list and every string has a size.

Spec: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas, validation rules);
Gateway API, GEP-713 and PolicyStatus for `status`.
"""

from functools import cache
from typing import Any, NamedTuple

import yaml
from msgspec import NODEFAULT, inspect

from steerway.sources.objects.slim import Slim
from steerway.sources.policy import authorization_policy, server_policy, traffic_policy
from steerway.sources.policy.duration import DURATION
from steerway.sources.policy.duration import MAX_CHARACTERS as LONGEST_DURATION
from steerway.sources.policy.rule import POLICY_GROUP, POLICY_VERSION, Rule
from steerway.sources.policy.structure import described, unwrapped

Schema = dict[str, Any]


class Definition(NamedTuple):
    """A kind: its names, the type of its spec with the rules about it, and a line about it. `columns`: what `kubectl
    get` shows beside whether it is accepted."""

    kind: str
    plural: str
    short_name: str
    spec: type[Slim]
    rules: tuple[Rule, ...]
    description: str
    columns: tuple[tuple[str, str], ...]

    @property
    def name(self) -> str:
        """Of the CustomResourceDefinition."""
        return f"{self.plural}.{POLICY_GROUP}"


_TARGET = ("Target", ".spec.targetRefs[0].name")
TRAFFIC_POLICY = Definition(
    "TrafficPolicy",
    "trafficpolicies",
    "tp",
    traffic_policy.TrafficPolicySpec,
    traffic_policy.RULES,
    "TrafficPolicy configures the traffic to Services, or of routes (steerway).",
    (_TARGET, ("Kind", ".spec.targetRefs[0].kind")),
)
SERVER_POLICY = Definition(
    "ServerPolicy",
    "serverpolicies",
    "svp",
    server_policy.ServerPolicySpec,
    server_policy.RULES,
    "ServerPolicy configures TLS of gRPC servers and of their clients (steerway).",
    (_TARGET, ("TLS", ".spec.tls.mode")),
)
AUTHORIZATION_POLICY = Definition(
    "AuthorizationPolicy",
    "authorizationpolicies",
    "azp",
    authorization_policy.AuthorizationPolicySpec,
    authorization_policy.RULES,
    "AuthorizationPolicy configures which calls gRPC servers accept (steerway).",
    (_TARGET, ("Action", ".spec.action"), ("Mode", ".spec.mode")),
)
DEFINITIONS = (TRAFFIC_POLICY, SERVER_POLICY, AUTHORIZATION_POLICY)
BY_KIND = {definition.kind: definition for definition in DEFINITIONS}
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_ACCEPTED = ("Accepted", '.status.ancestors[0].conditions[?(@.type=="Accepted")].status')
_AGE = {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def text() -> str:
    """The manifests of all kinds as YAML, the same bytes each time."""
    return "---\n".join(map(document, DEFINITIONS))


def document(definition: Definition) -> str:
    """The manifest of one kind as YAML."""
    return yaml.safe_dump(manifest(definition), sort_keys=False, width=120, allow_unicode=True)


def manifest(definition: Definition) -> dict[str, Any]:
    """The CustomResourceDefinition of one kind."""
    columns = [
        {"name": name, "type": "string", "jsonPath": path} for name, path in (*definition.columns, _ACCEPTED)
    ]
    version = {
        "name": POLICY_VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": [*columns, _AGE],
        "schema": {"openAPIV3Schema": schema(definition)},
    }
    names = {
        "kind": definition.kind,
        "listKind": f"{definition.kind}List",
        "plural": definition.plural,
        "singular": definition.kind.lower(),
        "shortNames": [definition.short_name],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": definition.name,
            "labels": {"gateway.networking.k8s.io/policy": "Direct"},  # GEP-713: tools find policies by it
        },
        "spec": {"group": POLICY_GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@cache
def schema(definition: Definition) -> Schema:
    """The schema of one object of a kind. Callers must not change it."""
    spec = _schema(inspect.type_info(definition.spec), definition.rules)
    return {
        "description": definition.description,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": "What is wanted.", **spec},
            "status": _status(),
        },
    }


def _schema(type_: inspect.Type, rules: tuple[Rule, ...]) -> Schema:
    """The schema of one field's type, with its description."""
    description = described(type_)
    plain = unwrapped(type_)
    made: Schema = {"description": description} if description else {}
    match plain:
        case inspect.StructType():
            made |= _object(plain, rules)
        case inspect.ListType():
            limits = {"minItems": plain.min_length, "maxItems": plain.max_length}
            made |= {"type": "array", **_given(limits), "x-kubernetes-list-type": "atomic"}
            made["items"] = _schema(plain.item_type, rules)
        case inspect.LiteralType():
            made |= {"type": "string", "enum": list(plain.values)}
        case inspect.StrType():
            made |= {"type": "string", **_string_limits(plain)}
        case inspect.IntType():
            made |= {
                "type": "integer",
                "format": "int64",
                **_given({"minimum": plain.ge, "maximum": plain.le}),
            }
        case inspect.BoolType():
            made["type"] = "boolean"
        case _:
            raise TypeError(f"a field of type {plain} has no schema yet")
    return made


def _object(type_: inspect.StructType, rules: tuple[Rule, ...]) -> Schema:
    required = [field.encode_name for field in type_.fields if field.required]
    own = [{"rule": rule.cel, "message": rule.message} for rule in rules if rule.of is type_.cls]
    made: Schema = {"type": "object"}
    if required:
        made["required"] = required
    if own:
        made["x-kubernetes-validations"] = own
    made["properties"] = {field.encode_name: _field(field, rules) for field in type_.fields}
    return made


def _field(field: inspect.Field, rules: tuple[Rule, ...]) -> Schema:
    made = _schema(field.type, rules)
    if field.default is not NODEFAULT and field.default is not None:
        made["default"] = field.default
    return made


def _string_limits(type_: inspect.StrType) -> Schema:
    longest = LONGEST_DURATION if type_.pattern == DURATION else type_.max_length
    # \Z is Python's word for the end; Go's, in which API servers read patterns, is $.
    pattern = type_.pattern.replace(r"\Z", "$") if type_.pattern is not None else None
    return _given({"minLength": type_.min_length, "maxLength": longest, "pattern": pattern})


def _given(limits: Schema) -> Schema:
    return {name: limit for name, limit in limits.items() if limit is not None}


def _status() -> Schema:
    """PolicyStatus of the Gateway API: the conditions that each controller reports for each target of the policy."""
    ancestor = {
        "type": "object",
        "required": ["ancestorRef", "controllerName"],
        "properties": {
            "ancestorRef": {
                "description": "What the policy is about.",
                "type": "object",
                "required": ["name"],
                "properties": {
                    "group": {"type": "string", "maxLength": 253},
                    "kind": {"type": "string", "minLength": 1, "maxLength": 63},
                    "name": _NAME.copy(),
                    "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
                    "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
                    "sectionName": _NAME.copy(),
                },
            },
            "controllerName": {"description": "The controller that wrote the entry.", **_NAME},
            "conditions": _conditions(),
        },
    }
    return {
        "description": "What became of it.",
        "type": "object",
        "properties": {
            "ancestors": {
                "type": "array",
                "maxItems": 16,
                "x-kubernetes-list-type": "atomic",
                "items": ancestor,
            }
        },
    }


def _conditions() -> Schema:
    """As metav1.Condition."""
    condition = {
        "type": "object",
        "required": ["lastTransitionTime", "message", "reason", "status", "type"],
        "properties": {
            "lastTransitionTime": {"type": "string", "format": "date-time"},
            "message": {"type": "string", "maxLength": 32768},
            "observedGeneration": {"type": "integer", "format": "int64", "minimum": 0},
            "reason": {
                "type": "string",
                "minLength": 1,
                "maxLength": 1024,
                "pattern": "^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$",
            },
            "status": {"type": "string", "enum": ["True", "False", "Unknown"]},
            "type": {"type": "string", "maxLength": 316},
        },
    }
    return {
        "type": "array",
        "maxItems": 8,
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["type"],
        "items": condition,
    }
