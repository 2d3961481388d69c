"""The Gateway API's CustomResourceDefinitions, as published: they come inside of its Go module.

`gateway_api/go.mod` pins the version and `go.sum` its content; the Go client fetches it once into its own cache.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import yaml

from testbed.cluster.api import Api
from testbed.manifest import Manifest
from testbed.process import go_module
from testbed.process.deadline import until

_PINNED = Path(__file__).with_name("gateway_api")
_MODULE = "sigs.k8s.io/gateway-api"
_OURS = Path(__file__).parents[2] / "deploy" / "crds"

Channel = Literal["standard", "experimental"]


def gateway_crds(channel: Channel = "experimental") -> list[Manifest]:
    """Every definition of a channel; the experimental one has the standard one's kinds, with more fields."""
    files = sorted(
        (go_module.folder(_PINNED, _MODULE) / "config" / "crd" / channel).glob(
            "gateway.networking.k8s.io_*.yaml"
        )
    )
    results = [
        manifest for file in files for manifest in yaml.safe_load_all(file.read_text(encoding="utf-8"))
    ]
    definitions = [item for item in results if item and item["kind"] == "CustomResourceDefinition"]
    assert {"GRPCRoute", "HTTPRoute", "ReferenceGrant"} <= {
        definition["spec"]["names"]["kind"] for definition in definitions
    }
    return definitions


def policy_crd(plural: str = "trafficpolicies") -> Manifest:
    """That of a kind of ours, as it is deployed."""
    definition: Manifest = yaml.safe_load((_OURS / f"steerway.io_{plural}.yaml").read_text(encoding="utf-8"))
    return definition


def policy_crds() -> list[Manifest]:
    """Those of all our kinds."""
    return [policy_crd(plural) for plural in ("trafficpolicies", "serverpolicies", "authorizationpolicies")]


def install(api: Api, definitions: Sequence[Manifest]) -> None:
    """Have an API server know these kinds. Returns when it does."""
    api.apply(*definitions)
    names = [definition["metadata"]["name"] for definition in definitions]
    until(lambda: all(_established(api, name) for name in names), lambda: f"the kinds {names}")


def _established(api: Api, name: str) -> bool:
    conditions = api.get("CustomResourceDefinition", "", name).get("status", {}).get("conditions") or []
    return any(
        condition["type"] == "Established" and condition["status"] == "True" for condition in conditions
    )
