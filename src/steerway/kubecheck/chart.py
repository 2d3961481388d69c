"""The objects of the chart, as far as an API server decides about them before an installation. Tests compare this with
what the chart renders."""

from dataclasses import dataclass

from steerway.kubecheck.reader import Manifest

_RBAC = "rbac.authorization.k8s.io/v1"


@dataclass(frozen=True, slots=True)
class Created:
    """A kind that the chart creates. `namespace`: whether it has one. `name`: of one object of the kind, with the
    fields `{name}` and `{namespace}`; "": its name is known from others. `purpose` completes "it is for"."""

    api_version: str
    plural: str
    namespace: bool
    purpose: str
    name: str = "{name}"

    @property
    def group(self) -> str:
        return self.api_version.rpartition("/")[0]

    def path(self, namespace: str, name: str) -> str | None:
        """Of the object, None without a name. `name`: the full name of the release's objects."""
        if not self.name:
            return None
        root = f"/apis/{self.api_version}" if self.group else f"/api/{self.api_version}"
        inside = f"/namespaces/{namespace}" if self.namespace else ""
        return f"{root}{inside}/{self.plural}/{self.name.format(name=name, namespace=namespace)}"


_ALWAYS = (
    Created("apps/v1", "deployments", True, "the replicas"),
    Created("v1", "services", True, "the address of clients"),
    Created("v1", "configmaps", True, "the settings"),
    Created("v1", "serviceaccounts", True, "the identity of the replicas"),
    Created("v1", "secrets", True, "Helm's record of the release", ""),
    Created("coordination.k8s.io/v1", "leases", True, "the choice of the replica that writes"),
    Created("networking.k8s.io/v1", "networkpolicies", True, "networkPolicy.enabled"),
    Created("policy/v1", "poddisruptionbudgets", True, "podDisruptionBudget.enabled"),
    Created(_RBAC, "roles", True, "rbac.create", "{name}-lease"),
    Created(_RBAC, "rolebindings", True, "rbac.create", "{name}-lease"),
    Created(_RBAC, "clusterroles", False, "rbac.create, with all namespaces", "{namespace}:{name}"),
    Created(_RBAC, "clusterrolebindings", False, "rbac.create, with all namespaces", "{namespace}:{name}"),
    Created("apiextensions.k8s.io/v1", "customresourcedefinitions", False, "crds.enabled", ""),
)
_INJECTION = (
    Created(
        "admissionregistration.k8s.io/v1",
        "mutatingwebhookconfigurations",
        False,
        "injection.enabled",
        "{name}.{namespace}.steerway.io",
    ),
)


def created(injection: bool) -> tuple[Created, ...]:
    return _ALWAYS + (_INJECTION if injection else ())


def full_name(release: str) -> str:
    """The name of most objects (`steerway.fullname` of the chart)."""
    name = release.replace(".", "-")
    full = name if "steerway" in release else f"{name}-steerway"
    prefix = "steerway-" if full[:1].isdigit() else ""
    return f"{prefix}{full}"[:52].strip("-")


def pod(namespace: str) -> Manifest:
    """A pod with what admission looks at in those of the chart."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"generateName": "steerway-check-", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": POD_SECURITY,
            "containers": [
                {
                    "name": "steerway",
                    "image": "steerway",
                    "securityContext": CONTAINER_SECURITY,
                    "resources": RESOURCES,
                }
            ],
        },
    }


POD_SECURITY: Manifest = {
    "runAsNonRoot": True,
    "runAsUser": 65532,
    "runAsGroup": 65532,
    "fsGroup": 65532,
    "seccompProfile": {"type": "RuntimeDefault"},
}
CONTAINER_SECURITY: Manifest = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
RESOURCES: Manifest = {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}}
