"""Served bytes for people's eyes: always JSON, whatever a file held."""

import base64
import json

import pytest

from steerway.catalog.model.policy import NOTHING
from steerway.translate.grpc import cluster, listener
from steerway.translate.protobuf.render import to_json
from steerway.translate.xds import raw, type_url


def test_a_resource_is_shown_in_protobufs_json() -> None:
    """With the field names of the .proto files, also inside of what is packed."""
    shown = to_json(type_url.LISTENER, listener.build("backend", "route"))
    assert shown["name"] == "backend"
    manager = shown["api_listener"]["api_listener"]
    assert manager["rds"]["route_config_name"] == "route"
    assert manager["http_filters"][-1]["typed_config"]["@type"].endswith("router.v3.Router")
    assert to_json(type_url.CLUSTER, cluster.build("c", NOTHING))["type"] == "EDS"


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_json_has_not_is_shown_as_bytes(number: float) -> None:
    """YAML has `.nan`, protobuf takes it, and the other resources of the page must be seen all the same."""
    body = {"name": "a", "metadata": {"filter_metadata": {"x": {"value": number}}}}
    encoded = raw.parse(type_url.CLUSTER, body).body
    shown = to_json(type_url.CLUSTER, encoded)
    assert base64.b64decode(shown["base64"]) == encoded
    assert shown["error"]
    json.dumps(shown, allow_nan=False)


@pytest.mark.parametrize(
    ("served", "body"), [(type_url.CLUSTER, b"\xff"), ("type.googleapis.com/no.Such", b"a")]
)
def test_what_cannot_be_decoded_is_shown_as_bytes(served: str, body: bytes) -> None:
    """With the reason."""
    shown = to_json(served, body)
    assert base64.b64decode(shown["base64"]) == body
    assert shown["error"]
