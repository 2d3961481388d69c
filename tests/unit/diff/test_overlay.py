"""Manifests laid over live objects: what counts as a change, and what the API server keeps."""

from collections.abc import Callable

from steerway.diff import overlay
from steerway.sources.objects.core import Object, ObjectKey, Service
from steerway.sources.policy.gateway import GRPCRoute
from tests.unit.diff.conftest import NOW, SHOP

Read = Callable[[str], list[Object]]
BACKEND = ObjectKey("Service", "shop", "backend")
LIVE = """
apiVersion: v1
kind: Service
metadata:
  name: backend
  namespace: shop
  uid: 4f
  annotations: {steerway.io/private: "true", steerway.io/balancing: LeastRequest}
spec: {clusterIP: 10.96.0.9, ports: [{port: 50051, name: grpc, protocol: TCP, targetPort: 50051}]}
"""
WRITTEN = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop}
spec: {ports: [{port: 50051, name: grpc}]}
"""
ROUTE = """
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: r, namespace: shop%s}
spec:
  parentRefs: [{group: "", kind: Service, name: backend}]
  rules: [{backendRefs: [{name: backend, port: 50051}]}]
"""


def known(objects: list[Object]) -> dict[ObjectKey, Object]:
    return {obj.key: obj for obj in objects}


def test_equal_manifests_change_nothing(objects: Read) -> None:
    """Also in another order."""
    live = known(objects(SHOP))
    assert overlay.changes(live, reversed(objects(SHOP)), {}, NOW) == {}


def test_annotations_of_other_writers_stay_and_those_of_the_last_apply_go(objects: Read) -> None:
    """As in the three-way merge of `kubectl apply`."""
    live = known(objects(LIVE))
    applied = {BACKEND: {"annotations": frozenset({"steerway.io/private"})}}
    changed = overlay.changes(live, objects(WRITTEN), applied, NOW)[BACKEND]
    assert isinstance(changed, Service)
    assert changed.metadata.annotations == {"steerway.io/balancing": "LeastRequest"}
    assert changed.metadata.uid == "4f"


def test_a_new_route_is_younger_than_all_others_and_a_known_one_keeps_its_time(objects: Read) -> None:
    """The older of two rivals wins; a file has no time of creation."""
    key = ObjectKey("GRPCRoute", "shop", "r")
    new = overlay.changes({}, objects(ROUTE % ""), {}, NOW)[key]
    assert isinstance(new, GRPCRoute)
    assert new.metadata.creation_timestamp == NOW
    live = known(objects(ROUTE % ", creationTimestamp: '2025-01-01T00:00:00Z', generation: 3"))
    assert overlay.changes(live, objects(ROUTE % ""), {}, NOW) == {}


def test_only_prune_deletes_and_only_in_the_namespaces_of_the_manifests(objects: Read) -> None:
    """EndpointSlices go with their Service, and not alone."""
    other = SHOP.replace("namespace: shop", "namespace: other")
    live = known([*objects(SHOP), *objects(other)])
    v2 = [obj for obj in objects(SHOP) if obj.key.name == "v2"]
    assert overlay.changes(live, v2, {}, NOW) == {}
    assert overlay.changes(live, v2, {}, NOW, prune=True) == {
        BACKEND: None,
        ObjectKey("EndpointSlice", "shop", "backend-1"): None,
    }
    services = [obj for obj in objects(SHOP) if obj.key.kind == "Service"]
    assert overlay.changes(live, services, {}, NOW, prune=True) == {}


def test_a_raw_resource_that_moved_in_its_file_is_the_same(objects: Read) -> None:
    """Its line is no part of what clients get."""
    text = '{"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: raw}\n'
    live = known(objects(text))
    assert len(live) == 1
    assert overlay.changes(live, objects(f"# a comment\n{text}"), {}, NOW) == {}
