"""The CustomResourceDefinition of TrafficPolicy, written from the types that decode it.

One definition for both ways in: what this schema and its CEL rules refuse on an API server, msgspec and
`broken_rules` refuse in a file. The schema also lists all fields, so that misspelt ones in a file are reported.

An API server bounds what CEL may cost by the sizes that a schema allows, so every list and every string has a size.

Spec: Kubernetes, "Extend the Kubernetes API with CustomResourceDefinitions" (structural schemas, validation rules);
Gateway API, GEP-713 and PolicyStatus for `status`.
"""

from functools import cache
from typing import Any

import yaml
from msgspec import NODEFAULT, inspect

from steerway.sources.policy.duration import DURATION
from steerway.sources.policy.duration import MAX_CHARACTERS as LONGEST_DURATION
from steerway.sources.policy.structure import described, unwrapped
from steerway.sources.policy.traffic_policy import POLICY_GROUP, POLICY_VERSION, RULES, TrafficPolicySpec

PLURAL = "trafficpolicies"
Schema = dict[str, Any]

_DESCRIPTION = "TrafficPolicy configures the traffic to Services, or of routes (steerway)."
_NAME = {"type": "string", "minLength": 1, "maxLength": 253}
_COLUMNS = [
    {"name": "Target", "type": "string", "jsonPath": ".spec.targetRefs[0].name"},
    {"name": "Kind", "type": "string", "jsonPath": ".spec.targetRefs[0].kind"},
    {
        "name": "Accepted",
        "type": "string",
        "jsonPath": '.status.ancestors[0].conditions[?(@.type=="Accepted")].status',
    },
    {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
]


def text() -> str:
    """The manifest as YAML, the same bytes each time."""
    return yaml.safe_dump(manifest(), sort_keys=False, width=120, allow_unicode=True)


def manifest() -> dict[str, Any]:
    """The CustomResourceDefinition."""
    version = {
        "name": POLICY_VERSION,
        "served": True,
        "storage": True,
        "subresources": {"status": {}},
        "additionalPrinterColumns": _COLUMNS,
        "schema": {"openAPIV3Schema": schema()},
    }
    names = {
        "kind": "TrafficPolicy",
        "listKind": "TrafficPolicyList",
        "plural": PLURAL,
        "singular": "trafficpolicy",
        "shortNames": ["tp"],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{POLICY_GROUP}",
            "labels": {"gateway.networking.k8s.io/policy": "Direct"},  # GEP-713: tools find policies by it
        },
        "spec": {"group": POLICY_GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


@cache
def schema() -> Schema:
    """The schema of one TrafficPolicy. Callers must not change it."""
    return {
        "description": _DESCRIPTION,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": {"description": "What is wanted.", **_schema(inspect.type_info(TrafficPolicySpec))},
            "status": _status(),
        },
    }


def _schema(type_: inspect.Type) -> Schema:
    """The schema of one field's type, with its description."""
    description = described(type_)
    plain = unwrapped(type_)
    made: Schema = {"description": description} if description else {}
    match plain:
        case inspect.StructType():
            made |= _object(plain)
        case inspect.ListType():
            limits = {"minItems": plain.min_length, "maxItems": plain.max_length}
            made |= {"type": "array", **_given(limits), "x-kubernetes-list-type": "atomic"}
            made["items"] = _schema(plain.item_type)
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


def _object(type_: inspect.StructType) -> Schema:
    required = [field.encode_name for field in type_.fields if field.required]
    rules = [{"rule": rule.cel, "message": rule.message} for rule in RULES if rule.of is type_.cls]
    made: Schema = {"type": "object"}
    if required:
        made["required"] = required
    if rules:
        made["x-kubernetes-validations"] = rules
    made["properties"] = {field.encode_name: _field(field) for field in type_.fields}
    return made


def _field(field: inspect.Field) -> Schema:
    made = _schema(field.type)
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
