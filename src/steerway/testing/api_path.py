"""Where the fake API server has its kinds: paths of collections, of single objects and of what is below them."""

from typing import NamedTuple

_GATEWAY = "gateway.networking.k8s.io"
COLLECTIONS = {
    "/api/v1/namespaces": ("v1", "Namespace"),
    "/api/v1/services": ("v1", "Service"),
    "/api/v1/pods": ("v1", "Pod"),
    "/api/v1/nodes": ("v1", "Node"),
    "/api/v1/events": ("v1", "Event"),
    "/api/v1/secrets": ("v1", "Secret"),
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations": (
        "admissionregistration.k8s.io/v1",
        "MutatingWebhookConfiguration",
    ),
    "/apis/discovery.k8s.io/v1/endpointslices": ("discovery.k8s.io/v1", "EndpointSlice"),
    "/apis/coordination.k8s.io/v1/leases": ("coordination.k8s.io/v1", "Lease"),
    f"/apis/{_GATEWAY}/v1/grpcroutes": (f"{_GATEWAY}/v1", "GRPCRoute"),
    f"/apis/{_GATEWAY}/v1/httproutes": (f"{_GATEWAY}/v1", "HTTPRoute"),
    f"/apis/{_GATEWAY}/v1beta1/httproutes": (f"{_GATEWAY}/v1beta1", "HTTPRoute"),
    f"/apis/{_GATEWAY}/v1beta1/referencegrants": (f"{_GATEWAY}/v1beta1", "ReferenceGrant"),
    f"/apis/{_GATEWAY}/v1/referencegrants": (f"{_GATEWAY}/v1", "ReferenceGrant"),
    f"/apis/{_GATEWAY}/v1/backendtlspolicies": (f"{_GATEWAY}/v1", "BackendTLSPolicy"),
    f"/apis/{_GATEWAY}/v1alpha3/backendtlspolicies": (f"{_GATEWAY}/v1alpha3", "BackendTLSPolicy"),
    "/apis/steerway.io/v1alpha1/trafficpolicies": ("steerway.io/v1alpha1", "TrafficPolicy"),
    "/apis/steerway.io/v1alpha1/serverpolicies": ("steerway.io/v1alpha1", "ServerPolicy"),
    "/apis/steerway.io/v1alpha1/authorizationpolicies": ("steerway.io/v1alpha1", "AuthorizationPolicy"),
}
CLUSTER_WIDE = ("Namespace", "Node", "MutatingWebhookConfiguration")
WITH_STATUS = (
    *("GRPCRoute", "HTTPRoute", "BackendTLSPolicy"),
    *("TrafficPolicy", "ServerPolicy", "AuthorizationPolicy"),
)
"""Kinds whose status is written by its own path alone, and whose generation counts changes of the rest."""


class ApiPath(NamedTuple):
    """`collection` is the path in all namespaces, `name` that of one object ("": all of them)."""

    collection: str
    namespace: str | None = None
    name: str = ""
    subresource: str = ""

    @property
    def plural(self) -> str:
        return self.collection.rpartition("/")[2]


def parse(path: str) -> ApiPath:
    """What a path is about."""
    head, _, rest = path.partition("/namespaces/")
    if rest and "/" not in rest:
        return ApiPath(f"{head}/namespaces", None, rest)
    if rest:
        namespace, plural, name, subresource = (*rest.split("/"), "", "")[:4]
        return ApiPath(f"{head}/{plural}", namespace, name, subresource)
    if path not in COLLECTIONS and path.rpartition("/")[0] in COLLECTIONS:
        collection, _, name = path.rpartition("/")
        return ApiPath(collection, None, name)
    return ApiPath(path)
