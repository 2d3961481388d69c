"""Injection by the API server itself: the MutatingAdmissionPolicy."""

import json

from steerway.config.section.security.identity import DEFAULT_SIGNER
from steerway.injection.options import CERTIFICATES_PATH
from steerway.injection.pod import CERTIFICATES_VOLUME
from testbed.cluster.namespace import Namespace
from testbed.manifest import Manifest
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.injection.conftest import Create, Mesh, label, variables

pytestmark = NEEDS_CLUSTER
CONFIG = "GRPC_XDS_BOOTSTRAP_CONFIG"
POLICY = "MutatingAdmissionPolicy"


def test_pods_are_injected_by_label(mesh: Mesh, namespace: Namespace, create: Create) -> None:
    """As by the webhook."""
    mesh.install("policy/policy.yaml")
    until(lambda: CONFIG in variables(create(label="enabled")), "an injected pod")
    assert CONFIG not in variables(create()), "without a label"
    label(namespace, "enabled")
    until(lambda: CONFIG in variables(create()), "injection by the label of the namespace")
    assert CONFIG not in variables(create(label="disabled"))
    own = create(env={"GRPC_XDS_BOOTSTRAP": "/mine"})
    assert variables(own) == {"GRPC_XDS_BOOTSTRAP": "/mine"}
    pod = create(env={"A": "1"})
    assert next(iter(variables(pod))) == "A"
    assert [*variables(pod)][-1] == CONFIG, "behind the variables that it refers to"
    assert (
        json.loads(variables(pod)[CONFIG])["node"]["id"] == "$(INJECTED_POD_NAME).$(INJECTED_POD_NAMESPACE)"
    )
    assert [volume for volume in pod["spec"].get("volumes", []) if volume["name"] == "steerway"] == []
    _mounts_what_the_config_map_names(mesh, namespace)


def test_certificates_are_mounted_once(mesh: Mesh, namespace: Namespace) -> None:
    """With the ConfigMap for them, though the policy runs again; a mount in the way excludes a container."""
    mesh.install("policy/policy.yaml", "policy/certificates.yaml")
    label(namespace, "enabled")
    until(lambda: _volumes(_created(mesh, namespace), CERTIFICATES_VOLUME), "the volume")
    pod = _created(mesh, namespace)
    (volume,) = _volumes(pod, CERTIFICATES_VOLUME)
    assert volume["projected"]["sources"] == [
        {
            "podCertificate": {
                "signerName": DEFAULT_SIGNER,
                "keyType": "ECDSAP256",
                "keyPath": "tls.key",
                "certificateChainPath": "tls.crt",
            }
        },
        {"clusterTrustBundle": {"signerName": DEFAULT_SIGNER, "labelSelector": {}, "path": "ca.crt"}},
    ]
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        mounts = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert mounts.count(CERTIFICATES_PATH) == 1
    data = {"name": "data", "emptyDir": {}}
    for path, injected in (
        (CERTIFICATES_PATH, False),
        ("/var/run", False),
        ("var/./run/secrets/", False),
        ("/var/run/secrets/tokens", True),
        ("/var/data", True),
    ):
        pod = _created(mesh, namespace, data, path)
        assert CONFIG in _names(pod["spec"]["containers"][0])
        assert (CONFIG in _names(pod["spec"]["containers"][1])) == injected, path
        assert len(_volumes(pod, CERTIFICATES_VOLUME)) == 1
    occupied = _created(mesh, namespace, {"name": CERTIFICATES_VOLUME, "emptyDir": {}}, "/data")
    assert not any(CONFIG in _names(container) for container in occupied["spec"]["containers"])


def test_the_policy_of_kyverno_does_the_same(mesh: Mesh, namespace: Namespace, create: Create) -> None:
    """Its expressions are those of a MutatingAdmissionPolicy, so the API server can evaluate them."""
    mesh.uninstall(POLICY)
    mesh.uninstall(f"{POLICY}Binding")
    (policy,) = mesh.manifests("kyverno/policy.yaml")
    api_version, metadata = "admissionregistration.k8s.io/v1", {"name": "kyverno"}
    spec = {**policy["spec"], "reinvocationPolicy": "Never"}
    binding = {"policyName": metadata["name"]}
    mesh.apply(
        {"apiVersion": api_version, "kind": POLICY, "metadata": metadata, "spec": spec},
        {"apiVersion": api_version, "kind": f"{POLICY}Binding", "metadata": metadata, "spec": binding},
    )
    added = ["INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE", CONFIG]
    until(lambda: [*variables(create(label="enabled"))] == added, "an injected pod")
    pod = create(label="enabled", env={"A": "1"})
    assert [*variables(pod)] == ["A", *added]
    assert json.loads(variables(pod)[CONFIG])["xds_servers"][0]["server_uri"] == mesh.server
    assert CONFIG not in variables(create()), "without a label"
    label(namespace, "enabled")
    until(lambda: CONFIG in variables(create()), "injection by the label of the namespace")
    assert CONFIG not in variables(create(label="disabled"))
    assert variables(create(env={"GRPC_XDS_BOOTSTRAP": "/mine"})) == {"GRPC_XDS_BOOTSTRAP": "/mine"}


def _mounts_what_the_config_map_names(mesh: Mesh, namespace: Namespace) -> None:
    """A token and CA certificates, in init containers and sidecars, too."""
    values = {"tokenAudience": "steerway", "clusterTrustBundle": "roots"}
    metadata = {"name": "steerway-injection", "namespace": mesh.namespace.name}
    mesh.api.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": values}, manager="user"
    )
    until(lambda: _volumes(_created(mesh, namespace)), "the volume")
    pod = _created(mesh, namespace)
    (volume,) = _volumes(pod)
    token, bundle = volume["projected"]["sources"]
    assert token["serviceAccountToken"]["audience"] == "steerway"
    assert bundle["clusterTrustBundle"] == {"name": "roots", "path": "ca.crt", "optional": True}
    for container in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        assert container["env"][-1]["name"] == CONFIG
        assert [mount["mountPath"] for mount in container["volumeMounts"]].count("/etc/steerway") == 1
    _leaves_what_is_in_the_way(mesh, namespace)


def _leaves_what_is_in_the_way(mesh: Mesh, namespace: Namespace) -> None:
    """A volume of the same name, and mounts around /etc/steerway."""
    pod = _created(mesh, namespace, {"name": "steerway", "emptyDir": {}}, "/data")
    assert [CONFIG in _names(container) for container in pod["spec"]["containers"]] == [False, False]
    assert len(_volumes(pod)) == 1
    data = {"name": "data", "emptyDir": {}}
    covered = ("/etc", "etc/", "/etc/steerway", "//etc/./steerway/data", "/etc/../etc/steerway")
    for path, injected in (
        *((path, False) for path in covered),
        ("/etc/steerway-data", True),
        ("/etcd", True),
    ):
        pod = _created(mesh, namespace, data, path)
        assert [CONFIG in _names(container) for container in pod["spec"]["containers"]] == [True, injected], (
            path
        )
        assert len(_volumes(pod)) == 1


def _names(container: Manifest) -> set[str]:
    return {variable["name"] for variable in container.get("env", [])}


def _created(
    mesh: Mesh, namespace: Namespace, volume: Manifest | None = None, path: str | None = None
) -> Manifest:
    """A pod as the API server would store it; the last container mounts `volume` at `path`."""
    init = [{"name": "init", "image": "none"}, {"name": "proxy", "image": "none", "restartPolicy": "Always"}]
    containers: list[Manifest] = [{"name": "client", "image": "none"}]
    if volume:
        mount = {"name": volume["name"], "mountPath": path}
        containers.append({"name": "own", "image": "none", "volumeMounts": [mount]})
    return mesh.api.create(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"generateName": "client-", "namespace": namespace.name},
            "spec": {
                "initContainers": init,
                "containers": containers,
                "volumes": [volume] if volume else [],
                "serviceAccountName": "default",
            },
        },
        dry_run=True,
    )


def _volumes(pod: Manifest, name: str = "steerway") -> list[Manifest]:
    return [volume for volume in pod["spec"].get("volumes", []) if volume["name"] == name]
