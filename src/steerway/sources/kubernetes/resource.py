"""The kinds that are followed: where the API server has them, and what is lost without them."""

from dataclasses import dataclass, replace

from steerway.sources.policy.gateway import GROUP
from steerway.sources.policy.rule import POLICY_GROUP, POLICY_VERSION


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind and where the API server has it: `group_path` is `/api/v1` or `/apis/GROUP/VERSION`. `loss`: what is not
    known without it; "" when nothing can be served without it. `opt_out`: the setting that turns it off. `custom`:
    whether an API server may not know it and nothing is amiss, such as a kind of a CustomResourceDefinition. `others`:
    further versions of the same schema, for API servers that do not serve this one. `field_selector` limits the objects
    that are followed."""

    kind: str
    plural: str
    group_path: str
    loss: str = ""
    opt_out: str = ""
    custom: bool = False
    others: tuple[str, ...] = ()
    field_selector: str = ""

    @property
    def versions(self) -> "tuple[Resource, ...]":
        """The same kind in each of its versions, the preferred one first."""
        base = self.group_path.rpartition("/")[0]
        return (self, *(replace(self, group_path=f"{base}/{version}", others=()) for version in self.others))

    @property
    def api_version(self) -> str:
        """As manifests have it: `v1` or `GROUP/VERSION`."""
        return self.group_path.removeprefix("/apis/").removeprefix("/api/")

    @property
    def group(self) -> str:
        """The API group as RBAC rules name it: "" for the core group."""
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str | None) -> str:
        """The collection's path, of one namespace or (None) of all."""
        inside = f"/namespaces/{namespace}" if namespace is not None else ""
        return f"{self.group_path}{inside}/{self.plural}"


NAMESPACES = Resource("Namespace", "namespaces", "/api/v1")
SERVICES = Resource("Service", "services", "/api/v1")
ENDPOINT_SLICES = Resource("EndpointSlice", "endpointslices", "/apis/discovery.k8s.io/v1")
PODS = Resource(
    "Pod",
    "pods",
    "/api/v1",
    "the namespace and locality of clients whose bootstrap does not state them",
    "kubernetes.client_locality to off",
)
AUTHENTICATING_PODS = replace(
    PODS,
    loss="the pods whose addresses authenticate clients: clients without another credential are refused",
    opt_out="authentication.pod_address to off",
)
NODES = Resource(
    "Node",
    "nodes",
    "/api/v1",
    "the zone and region of clients whose bootstrap does not state them",
    "kubernetes.client_locality to off",
)


def certificate_requests(signer_name: str) -> Resource:
    """PodCertificateRequests for a signer. API servers before Kubernetes 1.37 do not serve this version."""
    return Resource(
        "PodCertificateRequest",
        "podcertificaterequests",
        "/apis/certificates.k8s.io/v1",
        custom=True,
        field_selector=f"spec.signerName={signer_name}",
    )


def _custom(kind: str, plural: str, group: str, versions: tuple[str, ...], loss: str) -> Resource:
    path, opt_out = f"/apis/{group}/{versions[0]}", "kubernetes.policies to false"
    return Resource(kind, plural, path, loss, opt_out, custom=True, others=versions[1:])


_ROUTES = "the routes of the Gateway API"
GRPC_ROUTES = _custom("GRPCRoute", "grpcroutes", GROUP, ("v1",), _ROUTES)
HTTP_ROUTES = _custom("HTTPRoute", "httproutes", GROUP, ("v1", "v1beta1"), _ROUTES)
# First the version that installations serve until now.
REFERENCE_GRANTS = _custom(
    "ReferenceGrant",
    "referencegrants",
    GROUP,
    ("v1beta1", "v1"),
    "which Services routes of other namespaces may refer to",
)
BACKEND_TLS_POLICIES = _custom(
    "BackendTLSPolicy", "backendtlspolicies", GROUP, ("v1", "v1alpha3"), "the TLS policies of backends"
)
TRAFFIC_POLICIES = _custom(
    "TrafficPolicy", "trafficpolicies", POLICY_GROUP, (POLICY_VERSION,), "the traffic policies"
)
SERVER_POLICIES = _custom(
    "ServerPolicy", "serverpolicies", POLICY_GROUP, (POLICY_VERSION,), "the TLS of gRPC servers"
)
AUTHORIZATION_POLICIES = _custom(
    "AuthorizationPolicy",
    "authorizationpolicies",
    POLICY_GROUP,
    (POLICY_VERSION,),
    "which calls gRPC servers accept",
)
OUR_KINDS = (TRAFFIC_POLICIES, SERVER_POLICIES, AUTHORIZATION_POLICIES)
