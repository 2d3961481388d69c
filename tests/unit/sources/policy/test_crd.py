"""The CustomResourceDefinitions of our kinds: generated from its types, with a bound on every value."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import yaml

from steerway.sources.policy import crd
from steerway.sources.policy.duration import MAX_CHARACTERS

DEPLOYED = Path(__file__).parents[4] / "deploy" / "crds"


def parts(schema: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema within a schema, with its path."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from parts(inner, f"{path}.{name}")
    if "items" in schema:
        yield from parts(schema["items"], f"{path}[]")


SPECS = {
    definition.kind: list(parts(crd.schema(definition)["properties"]["spec"]))
    for definition in crd.DEFINITIONS
}
SPEC = [part for spec in SPECS.values() for part in spec]


def test_the_manifests_in_deploy_are_up_to_date() -> None:
    """Byte for byte; `make chart` writes them."""
    for definition in crd.DEFINITIONS:
        deployed = DEPLOYED / f"steerway.io_{definition.plural}.yaml"
        assert deployed.read_text(encoding="utf-8") == crd.document(definition)
    assert list(yaml.safe_load_all(crd.text())) == [*map(crd.manifest, crd.DEFINITIONS)]


def test_every_field_of_the_types_is_in_the_schema() -> None:
    """With a description, which `kubectl explain` shows."""
    seen = 0
    for path, schema in SPEC:
        for name, inner in schema.get("properties", {}).items():
            seen += 1
            assert inner.get("description"), f"{path}.{name}"
    assert seen > 80
    for definition in crd.DEFINITIONS:
        sections = {field.encode_name for field in msgspec.structs.fields(definition.spec)}
        assert set(SPECS[definition.kind][0][1]["properties"]) == sections


def test_every_list_and_every_string_is_bounded() -> None:
    """An API server estimates the maximum cost of a rule, and the size of an object in etcd is limited."""
    seen = 0
    for path, schema in SPEC:
        if schema["type"] == "array":
            assert "maxItems" in schema, path
        elif schema["type"] == "string":
            assert "maxLength" in schema or "enum" in schema, path
        seen += schema["type"] in ("array", "string")
    assert seen > 30


def test_patterns_are_those_of_go() -> None:
    r"""The \Z of Python is $ in Go; both match the whole string."""
    patterns = {schema["pattern"]: schema for _, schema in SPEC if "pattern" in schema}
    assert len(patterns) == 8
    for pattern in patterns:
        assert re.fullmatch(r"\^.*\$", pattern)
        assert r"\Z" not in pattern
    (duration,) = (schema for pattern, schema in patterns.items() if "ms" in pattern)
    assert duration["maxLength"] == len("99999ms99999ms99999ms99999ms") == MAX_CHARACTERS


def test_defaults_are_those_of_the_types() -> None:
    """An absent field means the same on an API server and in a file."""
    results = {path: schema["default"] for path, schema in SPEC if "default" in schema}
    assert results[".zones.overloadPercent"] == 140
    assert results[".outlierDetection.interval"] == "10s"
    assert results[".balancing.weightedRoundRobin.outOfBand"] is False
    assert results[".healthCheck.service"] == ""
    assert ".zones.demand" not in results


def test_every_rule_is_there_once_for_each_use_of_its_struct() -> None:
    """With its message."""
    written = [
        (rule["rule"], rule["message"])
        for _, schema in SPEC
        for rule in schema.get("x-kubernetes-validations", [])
    ]
    assert sorted(written) == sorted(
        (rule.cel, rule.message) for definition in crd.DEFINITIONS for rule in definition.rules
    )
