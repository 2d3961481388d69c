"""Raw resources that are nearly right: the error names the fault, and no value can do more than that."""

from typing import Any

import pytest

from steerway.errors import TranslateError
from steerway.translate.protobuf import message
from steerway.translate.xds import type_url

ROUTER = "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"


def refused(body: dict[str, Any]) -> str:
    """Why a Cluster of this content is refused."""
    with pytest.raises(TranslateError) as error:
        message.from_json(type_url.CLUSTER, {"name": "backend", **body})
    return str(error.value)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (
            {"eds_cluster_config": {"service_nam": "a"}},
            "EdsClusterConfig has no field service_nam at Cluster.eds_cluster_config: did you mean service_name?",
        ),
        (
            {"edsClusterConfig": {"serviceNam": "a"}},
            "EdsClusterConfig has no field serviceNam at Cluster.edsClusterConfig: did you mean serviceName?",
        ),
        (
            {"typed_extension_protocol_options": {"a": {"@type": ROUTER, "dynamic_stat": 1}}},
            "Router has no field dynamic_stat at Cluster.typed_extension_protocol_options[a]:"
            " did you mean dynamic_stats?",
        ),
        ({"zzzqqq": 1}, "Cluster has no field zzzqqq at Cluster"),
    ],
)
def test_an_unknown_field_names_the_nearest(body: dict[str, Any], reason: str) -> None:
    """In the spelling of the author, and without the list of all fields."""
    assert refused(body) == reason


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"connect_timeout": "5"}, 'Duration must end with letter "s": 5. at Cluster.connect_timeout'),
        ({"lb_policy": "nope"}, "Invalid enum value nope"),
        ({"health_checks": [None]}, "Cluster.health_checks[0]"),
        ({"upstream_bind_config": 5}, "upstream_bind_config"),
    ],
)
def test_a_wrong_value_names_its_path(body: dict[str, Any], reason: str) -> None:
    """The path of the field stands in the reason."""
    assert reason in refused(body)


@pytest.mark.parametrize("nested", ["", "envoy..v3.X", "os.system", "type.googleapis.com/envoy.\udcff.v3.X"])
def test_an_unknown_type_within_is_refused(nested: str) -> None:
    """Whatever stands there: nothing outside of the xDS packages is imported, and nothing but a reason comes out."""
    reason = refused({"typed_extension_protocol_options": {"a": {"@type": nested}}})
    assert reason.startswith("no message type ")
    reason.encode()  # it can be written down


def test_a_type_that_is_no_string_is_refused() -> None:
    """YAML makes numbers of what looks like one."""
    reason = refused({"typed_extension_protocol_options": {"a": {"@type": 3}}})
    assert reason == "@type must be a string, not 3"


@pytest.mark.parametrize(
    "name", ["envoy.\x00.A", "envoy..A", "envoy.a b.A", "envoy.\u2028.A", "google", "", ".", "envoy"]
)
def test_what_is_no_name_of_a_package_is_an_unknown_type(name: str) -> None:
    """Nothing is imported for it."""
    with pytest.raises(TranslateError, match="no message type"):
        message.load(f"type.googleapis.com/{name}")
