"""Types that no installed module has, given as the bytes of an `Any`."""

import base64
from typing import Any

import pytest
from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.route.v3 import route_pb2
from google.protobuf import any_pb2, wrappers_pb2

from steerway.errors import TranslateError
from steerway.translate.protobuf import message
from steerway.translate.protobuf.render import to_json
from steerway.translate.xds import raw, type_url

LOOKUP = "type.googleapis.com/grpc.lookup.v1.RouteLookupClusterSpecifier"
BYTES = b"\x0a\x04\x22\x02\x08\x01\xff\x00"
PLUGIN = {"@type": LOOKUP, "value": base64.b64encode(BYTES).decode()}


def routes(config: dict[str, Any]) -> dict[str, Any]:
    """A RouteConfiguration with a cluster specifier plugin."""
    return {
        "name": "r",
        "cluster_specifier_plugins": [{"extension": {"name": "rls", "typed_config": config}}],
    }


def test_bytes_of_an_unknown_type_are_published_as_they_are() -> None:
    """For example gRPC's route lookup, of which Envoy's API has no definition."""
    parsed = route_pb2.RouteConfiguration.FromString(raw.parse(type_url.ROUTE, routes(PLUGIN)).body)
    packed = parsed.cluster_specifier_plugins[0].extension.typed_config
    assert (packed.type_url, packed.value) == (LOOKUP, BYTES)


def test_bytes_of_an_unknown_type_may_be_empty() -> None:
    """A message without fields has none."""
    parsed = message.from_json(type_url.ROUTE, routes({"@type": LOOKUP, "value": ""}))
    assert parsed.cluster_specifier_plugins[0].extension.typed_config.value == b""  # type: ignore[attr-defined]


def test_it_may_be_anywhere_within_others() -> None:
    """In a map, and inside of what is packed itself."""
    options = "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    filters = [{"name": "f", "typed_config": PLUGIN}]
    nested = {
        "@type": options,
        "explicit_http_config": {"http2_protocol_options": {}},
        "http_filters": filters,
    }
    body = {"name": "c", "typed_extension_protocol_options": {"a": PLUGIN, "b": nested}}
    parsed = message.from_json(type_url.CLUSTER, body)
    assert isinstance(parsed, cluster_pb2.Cluster)
    assert parsed.typed_extension_protocol_options["a"].value == BYTES
    assert BYTES in parsed.typed_extension_protocol_options["b"].value
    assert to_json(type_url.CLUSTER, message.serialize(parsed)) == body


def test_what_is_shown_can_be_written() -> None:
    """The same form; other values of bytes stay what they are."""
    wrapped = {"@type": "type.googleapis.com/google.protobuf.BytesValue", "value": "AAEC"}
    body = {"name": "c", "typed_extension_protocol_options": {"a": PLUGIN, "b": wrapped}}
    parsed = message.from_json(type_url.CLUSTER, body)
    before = message.serialize(parsed)
    assert message.to_json(parsed) == body
    assert message.serialize(parsed) == before, "showing it changes nothing"
    assert message.from_json(type_url.CLUSTER, message.to_json(parsed)) == parsed
    packed = any_pb2.Any()
    packed.Pack(wrappers_pb2.BytesValue(value=b"\x00\x01\x02"))
    assert parsed.typed_extension_protocol_options["b"] == packed  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"@type": LOOKUP}, "give its bytes: value, in base64, and no other field"),
        ({"@type": LOOKUP, "value": {}}, "give its bytes: value, in base64, and no other field"),
        ({"@type": LOOKUP, "value": "AA==", "x": 1}, "give its bytes: value, in base64, and no other field"),
        ({"@type": LOOKUP, "value": "not base64"}, "its value is not base64"),
        ({"@type": LOOKUP, "value": "AAA"}, "its value is not base64"),
        ({"@type": "lookup", "value": "AA=="}, "a type URL is DOMAIN/PACKAGE.TYPE"),
    ],
)
def test_an_unknown_type_without_bytes_is_refused(config: dict[str, Any], reason: str) -> None:
    """With the type, and what to write."""
    with pytest.raises(TranslateError) as error:
        message.from_json(type_url.ROUTE, routes(config))
    assert str(error.value).startswith(f"no message type {config['@type'].rpartition('/')[2]!r} is known")
    assert reason in str(error.value)


def test_an_unknown_type_where_no_type_is_expected_is_refused() -> None:
    """A Struct holds JSON and no messages."""
    body = {"name": "c", "metadata": {"filter_metadata": {"x": {"y": PLUGIN}}}}
    with pytest.raises(TranslateError, match="where no Any is expected"):
        message.from_json(type_url.CLUSTER, body)
