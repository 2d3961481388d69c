"""What is added to pods of all shapes, and that nothing else changes."""

import copy
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from steerway import __version__
from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import Insecure, Server, Tls
from steerway.injection.mutation import Mutation, inject
from steerway.injection.options import InjectionOptions
from steerway.testing.json_patch import patched
from testbed.manifest import Manifest

INJECTED = "steerway.io/injected"
SERVER = Server(ServerAddress("steerway.mesh-system", 18000), (Insecure(),))
TLS_SERVER = Server(
    ServerAddress("steerway.mesh-system", 18002), (Tls(ca="/etc/steerway/ca.crt"),), "/etc/steerway/token"
)
SIGNER = "steerway.io/spiffe"
PLAIN = InjectionOptions({"insecure": (SERVER,)}, "insecure", "environment", None, None, False, SIGNER)
BOTH = InjectionOptions(
    {"insecure": (SERVER,), "tls": (TLS_SERVER,)},
    "tls",
    "environment",
    "ConfigMap/roots",
    "steerway",
    False,
    SIGNER,
)
CERTIFIED = replace(PLAIN, certificates=True)
CERTIFICATES = "/var/run/secrets/steerway.io/certificates"


def pod(*containers: Manifest, annotations: dict[str, str] | None = None, **spec: Any) -> Manifest:
    metadata: dict[str, Any] = {"generateName": "backend-7d9-", "labels": {"app": "backend"}}
    if annotations:
        metadata["annotations"] = annotations
    spec = {"serviceAccountName": "default"} | spec
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {"containers": list(containers) or [{"name": "server", "image": "a"}], **spec},
    }


def inject_into(manifest: Manifest, options: InjectionOptions = PLAIN, uid: str = "1") -> Mutation:
    before = copy.deepcopy(manifest)
    mutation = inject(manifest, "shop", uid, options)
    assert manifest == before, "the input is not changed"
    return mutation


def injected(manifest: Manifest, options: InjectionOptions = PLAIN) -> Manifest:
    return patched(manifest, inject_into(manifest, options).patch)


def report(manifest: Manifest) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(manifest["metadata"]["annotations"][INJECTED])
    assert document.pop("version") == __version__
    return document


def env(container: Manifest) -> dict[str, Any]:
    return {variable["name"]: variable.get("value") for variable in container.get("env", [])}


def bootstrap(container: Manifest, name: str = "backend-7d9-x2x4z", namespace: str = "shop") -> Any:
    """The bootstrap as the kubelet expands it."""
    text = env(container)["GRPC_XDS_BOOTSTRAP_CONFIG"]
    text = text.replace("$(INJECTED_POD_NAME)", name).replace("$(INJECTED_POD_NAMESPACE)", namespace)
    return json.loads(text)


def test_a_pod_gets_the_bootstrap_in_its_environment() -> None:
    """With the name of the pod, which does not exist yet."""
    result = injected(pod())
    (container,) = result["spec"]["containers"]
    assert bootstrap(container) == {
        "xds_servers": [
            {
                "server_uri": "steerway.mesh-system:18000",
                "channel_creds": [{"type": "insecure"}],
                "server_features": ["xds_v3", "ignore_resource_deletion"],
            }
        ],
        "node": {
            "id": "backend-7d9-x2x4z.shop",
            "cluster": "backend",
            "locality": {},
            "metadata": {"NAMESPACE": "shop"},
        },
        "server_listener_resource_name_template": "grpc/server?xds.resource.listening_address=%s",
    }
    assert [variable["name"] for variable in container["env"]] == [
        "INJECTED_POD_NAME",
        "INJECTED_POD_NAMESPACE",
        "GRPC_XDS_BOOTSTRAP_CONFIG",
    ]
    assert "volumes" not in result["spec"]
    assert report(result) == {"method": "environment", "credentials": "insecure", "containers": ["server"]}


@pytest.mark.parametrize(
    ("labels", "account", "expected"),
    [
        ({"app": "a"}, "billing", "billing"),
        ({"app": "a", "app.kubernetes.io/name": "b"}, "default", "b"),
        ({"app": "a"}, None, "a"),
        ({}, None, None),
    ],
)
def test_the_cluster_is_the_workload(labels: dict[str, str], account: str | None, expected: str) -> None:
    """The service account where it identifies one, else a usual label."""
    manifest = pod(serviceAccountName=account)
    manifest["metadata"]["labels"] = labels
    assert bootstrap(injected(manifest)["spec"]["containers"][0])["node"].get("cluster") == expected


def test_existing_variables_stay_and_come_first() -> None:
    """Also the switch of call credentials, which the user may set."""
    own = [{"name": "A", "value": "1"}, {"name": "GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS", "value": "x"}]
    (container,) = injected(pod({"name": "server", "env": own}), BOTH)["spec"]["containers"]
    assert container["env"][:2] == own
    assert [variable["name"] for variable in container["env"][2:]] == [
        "INJECTED_POD_NAME",
        "INJECTED_POD_NAMESPACE",
        "GRPC_XDS_BOOTSTRAP_CONFIG",
    ]


@pytest.mark.parametrize("name", ["INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE"])
def test_a_variable_of_the_bootstrap_is_not_taken_from_the_user(name: str) -> None:
    """It would be a part of the node id. A file has no variables."""
    own = {"name": "own", "env": [{"name": name, "value": "mine"}]}
    result = injected(pod(own, {"name": "server"}))
    assert result["spec"]["containers"][0] == own
    assert report(result)["skipped"] == {"own": f"its env has {name}, which the bootstrap refers to"}
    in_file = pod(own, annotations={"steerway.io/inject-method": "volume"})
    assert report(injected(in_file))["containers"] == ["own"]


@pytest.mark.parametrize("name", ["GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG"])
def test_a_bootstrap_of_the_user_is_not_replaced(name: str) -> None:
    """The other container is injected, and the report names the reason."""
    own = {"name": "own", "env": [{"name": name, "value": "/mine"}]}
    mutation = inject_into(pod(own, {"name": "server"}))
    result = patched(pod(own, {"name": "server"}), mutation.patch)
    assert result["spec"]["containers"][0] == own
    assert report(result)["containers"] == ["server"]
    assert report(result)["skipped"] == {"own": f"its env has {name}"}
    assert mutation.warnings == (f"steerway: container own not injected: its env has {name}",)


def test_a_pod_with_its_own_bootstrap_is_annotated_only() -> None:
    """With the reason."""
    manifest = pod({"name": "own", "env": [{"name": "GRPC_XDS_BOOTSTRAP", "value": "/mine"}]})
    mutation = inject_into(manifest)
    assert mutation.result == "not_injected"
    result = patched(manifest, mutation.patch)
    assert result["spec"] == manifest["spec"]
    assert report(result) == {"reason": "no container can be injected: own: its env has GRPC_XDS_BOOTSTRAP"}


def test_init_containers_and_sidecars_are_injected() -> None:
    """A native sidecar is an init container. Ephemeral containers are not part of a new pod."""
    manifest = pod(
        {"name": "server"},
        initContainers=[{"name": "migrate"}, {"name": "proxy", "restartPolicy": "Always"}],
        ephemeralContainers=[{"name": "debug"}],
    )
    result = injected(manifest)
    assert report(result)["containers"] == ["migrate", "proxy", "server"]
    assert all(
        "GRPC_XDS_BOOTSTRAP_CONFIG" in env(container) for container in result["spec"]["initContainers"]
    )
    assert result["spec"]["ephemeralContainers"] == [{"name": "debug"}]


def test_containers_are_chosen_by_annotation() -> None:
    """A name without a container is a warning."""
    chosen = {"steerway.io/inject-containers": "server, typo"}
    manifest = pod({"name": "proxy"}, {"name": "server"}, annotations=chosen)
    mutation = inject_into(manifest)
    assert report(patched(manifest, mutation.patch))["containers"] == ["server"]
    assert mutation.warnings == ("steerway: no container has the name typo",)


@pytest.mark.parametrize(
    ("annotations", "reason"),
    [
        (
            {"steerway.io/inject-containers": "typo"},
            "steerway.io/inject-containers names no container of the pod",
        ),
        (
            {"steerway.io/inject-method": "file"},
            "annotation steerway.io/inject-method is 'file': use environment or volume",
        ),
        (
            {"steerway.io/inject-credentials": "tls"},
            "steerway has no servers for steerway.io/inject-credentials: tls",
        ),
    ],
)
def test_an_invalid_choice_is_reported(annotations: dict[str, str], reason: str) -> None:
    """In the annotation and as a warning."""
    manifest = pod(annotations=annotations)
    mutation = inject_into(manifest)
    assert mutation.warnings == (f"steerway: not injected: {reason}",)
    result = patched(manifest, mutation.patch)
    assert report(result) == {"reason": reason}
    assert inject_into(result).patch == ()


def test_the_volume_has_the_bootstrap_of_the_annotation() -> None:
    """For programs that need a file."""
    manifest = pod(annotations={"steerway.io/inject-method": "volume"})
    result = injected(manifest)
    (container,) = result["spec"]["containers"]
    assert env(container) == {"GRPC_XDS_BOOTSTRAP": "/etc/steerway/bootstrap.json"}
    assert container["volumeMounts"] == [{"name": "steerway", "mountPath": "/etc/steerway", "readOnly": True}]
    (volume,) = result["spec"]["volumes"]
    (source,) = volume["projected"]["sources"]
    (item,) = source["downwardAPI"]["items"]
    assert item["path"] == "bootstrap.json"
    assert item["fieldRef"]["fieldPath"] == "metadata.annotations['steerway.io/bootstrap']"
    document = json.loads(result["metadata"]["annotations"]["steerway.io/bootstrap"])
    assert document["node"]["id"].startswith("backend-7d9~")
    assert document["node"]["id"].endswith(".shop")
    assert document["node"]["metadata"] == {"NAMESPACE": "shop"}


def test_node_ids_in_files_are_unique() -> None:
    """The name of a pod of a controller is not known at admission; that of a StatefulSet is."""

    def node_id(manifest: Manifest, uid: str) -> str:
        result = patched(manifest, inject_into(manifest, uid=uid).patch)
        document = json.loads(result["metadata"]["annotations"]["steerway.io/bootstrap"])
        return str(document["node"]["id"])

    manifest = pod(annotations={"steerway.io/inject-method": "volume"})
    assert node_id(manifest, "1") != node_id(manifest, "2")
    named = copy.deepcopy(manifest)
    named["metadata"]["name"] = "backend-0"
    assert node_id(named, "1") == node_id(named, "2") == "backend-0.shop"


@pytest.mark.parametrize(("namespace", "name"), [("pay", None), ("pay", "backend-0"), ("shop", "backend-0")])
def test_a_copied_pod_gets_a_node_id_of_its_own(namespace: str, name: str | None) -> None:
    """Its annotation is that of the pod whose manifest was copied."""
    copied = injected(pod(annotations={"steerway.io/inject-method": "volume"}))
    if name:
        copied["metadata"]["name"] = name
    mutation = inject(copied, namespace, "2", PLAIN)
    result = patched(copied, mutation.patch)
    assert result["spec"] == copied["spec"]
    node = json.loads(result["metadata"]["annotations"]["steerway.io/bootstrap"])["node"]
    assert node["id"].endswith(f".{namespace}")
    assert node["id"].startswith(name or "backend-7d9~")
    assert node["metadata"] == {"NAMESPACE": namespace}
    assert inject(result, namespace, "3", PLAIN) == Mutation("unchanged"), "once"


def test_a_pod_without_containers_has_its_own_reason() -> None:
    """The API server refuses it later."""
    manifest = pod()
    manifest["spec"]["containers"] = []
    assert report(injected(manifest)) == {"reason": "the pod has no containers"}


def test_tls_mounts_the_authority_and_the_token() -> None:
    """Optional sources do not keep the pod from starting."""
    result = injected(pod(volumes=[{"name": "data", "emptyDir": {}}]), BOTH)
    _, volume = result["spec"]["volumes"]
    assert volume["projected"]["sources"] == [
        {
            "configMap": {
                "name": "roots",
                "optional": True,
                "items": [{"key": "ca.crt", "path": "ca.crt"}],
            }
        },
        {"serviceAccountToken": {"audience": "steerway", "path": "token"}},
    ]
    (container,) = result["spec"]["containers"]
    assert env(container)["GRPC_EXPERIMENTAL_XDS_BOOTSTRAP_CALL_CREDS"] == "true"
    (server,) = bootstrap(container)["xds_servers"]
    assert server["channel_creds"] == [
        {"type": "tls", "config": {"ca_certificate_file": "/etc/steerway/ca.crt"}}
    ]
    assert server["call_creds"][0]["config"] == {"jwt_token_file": "/etc/steerway/token"}


def test_a_pod_chooses_plaintext() -> None:
    """For grpc-js, which has no TLS towards the control plane."""
    result = injected(pod(annotations={"steerway.io/inject-credentials": "insecure"}), BOTH)
    (container,) = result["spec"]["containers"]
    assert bootstrap(container)["xds_servers"][0]["channel_creds"] == [{"type": "insecure"}]
    assert "volumeMounts" not in container


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/etc/steerway", "/etc/steerway"),
        ("/etc/steerway/", "/etc/steerway"),
        ("/etc/../etc//./steerway", "/etc/steerway"),
        ("/etc", "/etc"),
        ("etc", "/etc"),
        ("/etc/steerway/data", "/etc/steerway/data"),
    ],
)
def test_a_mount_in_the_way_skips_the_container(path: str, shown: str) -> None:
    """The API server refuses a path twice, and the runtime makes no directory in a read-only volume."""
    manifest = pod(
        {"name": "server", "volumeMounts": [{"name": "data", "mountPath": path}]}, {"name": "other"}
    )
    result = injected(manifest, BOTH)
    assert result["spec"]["containers"][0] == manifest["spec"]["containers"][0]
    assert report(result)["skipped"] == {"server": f"it mounts a volume at {shown}"}


@pytest.mark.parametrize("path", ["/", "/etc/steerway-data", "/etc/steerway/../other"])
def test_a_mount_beside_the_volume_is_no_obstacle(path: str) -> None:
    """Also with a path that has the same beginning."""
    manifest = pod({"name": "server", "volumeMounts": [{"name": "data", "mountPath": path}]})
    assert report(injected(manifest, BOTH))["containers"] == ["server"]


def test_a_volume_of_the_same_name_is_not_touched() -> None:
    """The API server refuses a name twice."""
    manifest = pod(volumes=[{"name": "steerway", "emptyDir": {}}])
    result = injected(manifest, BOTH)
    assert result["spec"] == manifest["spec"]
    assert report(result) == {"reason": "the pod has a volume steerway of its own: rename it"}
    assert report(injected(manifest))["containers"] == ["server"], "the environment needs none"


def test_certificates_are_in_one_volume_that_the_bootstrap_names() -> None:
    """Key, chain and roots: the kubelet writes them together."""
    result = injected(pod({"name": "server"}, {"name": "proxy"}), CERTIFIED)
    (volume,) = result["spec"]["volumes"]
    assert volume == {
        "name": "steerway-certificates",
        "projected": {
            "sources": [
                {
                    "podCertificate": {
                        "signerName": "steerway.io/spiffe",
                        "keyType": "ECDSAP256",
                        "keyPath": "tls.key",
                        "certificateChainPath": "tls.crt",
                    }
                },
                {
                    "clusterTrustBundle": {
                        "signerName": "steerway.io/spiffe",
                        "labelSelector": {},
                        "path": "ca.crt",
                    }
                },
            ]
        },
    }
    for container in result["spec"]["containers"]:
        mount = {"name": "steerway-certificates", "mountPath": CERTIFICATES, "readOnly": True}
        assert container["volumeMounts"] == [mount]
        document = bootstrap(container)
        assert document["node"]["metadata"]["steerway.io/certificate-provider"] == "steerway"
        config = document["certificate_providers"]["steerway"]["config"]
        assert {key: path for key, path in config.items() if key.endswith("_file")} == {
            "certificate_file": f"{CERTIFICATES}/tls.crt",
            "private_key_file": f"{CERTIFICATES}/tls.key",
            "ca_certificate_file": f"{CERTIFICATES}/ca.crt",
        }
    assert report(result)["certificates"] is True
    assert inject_into(result, CERTIFIED) == Mutation("unchanged")


@pytest.mark.parametrize(
    ("options", "choice", "names"),
    [
        (CERTIFIED, "disabled", []),
        (PLAIN, "enabled", ["steerway-certificates"]),
        (BOTH, "enabled", ["steerway", "steerway-certificates"]),
    ],
)
def test_a_pod_chooses_certificates(options: InjectionOptions, choice: str, names: list[str]) -> None:
    """With and without the other volume."""
    result = injected(pod(annotations={"steerway.io/inject-certificates": choice}), options)
    (container,) = result["spec"]["containers"]
    assert [volume["name"] for volume in result["spec"].get("volumes", [])] == names
    assert [mount["name"] for mount in container.get("volumeMounts", [])] == names
    assert bool(names) == ("certificate_providers" in bootstrap(container))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ({"serviceAccountName": ""}, "the pod has no service account, which its certificate would name"),
        (
            {"os": {"name": "windows"}},
            "Windows pods get no volume: use steerway.io/inject-certificates: disabled",
        ),
        (
            {"volumes": [{"name": "steerway-certificates"}]},
            "the pod has a volume steerway-certificates of its own: rename it",
        ),
    ],
)
def test_a_pod_that_can_get_no_certificate_is_not_injected(spec: dict[str, Any], reason: str) -> None:
    """A bootstrap without the provider would be one that a policy with TLS does not serve."""
    result = injected(pod(**spec), CERTIFIED)
    assert report(result) == {"reason": reason}


@pytest.mark.parametrize(
    ("volume", "read_only", "is_injected"),
    [({"emptyDir": {}}, False, True), ({"emptyDir": {}}, True, False), ({"configMap": {}}, False, False)],
)
def test_a_directory_is_made_in_an_empty_volume(volume: Manifest, read_only: bool, is_injected: bool) -> None:
    """Programs with a read-only root file system have one at /var/run."""
    mount = {"name": "run", "mountPath": "/var/run", "readOnly": read_only}
    manifest = pod({"name": "server", "volumeMounts": [mount]}, volumes=[{"name": "run", **volume}])
    assert report(injected(manifest, CERTIFIED)).get("containers", []) == ["server"] * is_injected


def test_windows_pods_get_the_environment_only() -> None:
    """Without a volume."""
    manifest = pod(os={"name": "windows"})
    assert report(injected(manifest))["containers"] == ["server"]
    assert report(injected(manifest, BOTH))["reason"].startswith("Windows pods get no volume")


def test_a_token_needs_a_service_account() -> None:
    """The API server refuses the volume otherwise."""
    manifest = pod(serviceAccountName="")
    assert report(injected(manifest, BOTH)) == {
        "reason": "the pod has no service account, whose token it would send"
    }
    assert report(injected(manifest))["containers"] == ["server"]


def test_pods_on_the_host_network_are_injected_with_a_warning() -> None:
    """Their address is that of the node."""
    mutation = inject_into(pod(hostNetwork=True))
    assert mutation.result == "injected"
    assert ["host network" in warning for warning in mutation.warnings] == [True]


@pytest.mark.parametrize(
    "metadata",
    [
        {"labels": {"steerway.io/inject": "disabled"}},
        {"annotations": {"kubernetes.io/config.mirror": "abc"}},
    ],
)
def test_some_pods_are_left_alone(metadata: dict[str, Any]) -> None:
    """Those with the label, whatever the webhook selects, and static ones."""
    manifest = pod()
    manifest["metadata"].update(metadata)
    assert inject_into(manifest) == Mutation("unchanged")


def test_an_unknown_label_is_a_warning() -> None:
    """`true` is what other meshes use."""
    manifest = pod()
    manifest["metadata"]["labels"]["steerway.io/inject"] = "true"
    (warning,) = inject_into(manifest).warnings
    assert warning == "steerway: label steerway.io/inject is 'true': use enabled or disabled"


def test_a_container_that_another_webhook_adds_is_injected_later() -> None:
    """The API server calls again (`reinvocationPolicy: IfNeeded`)."""
    first = injected(pod(), BOTH)
    first["spec"]["containers"].append({"name": "proxy"})
    second = injected(first, BOTH)
    assert second["spec"]["containers"][0] == first["spec"]["containers"][0]
    assert "GRPC_XDS_BOOTSTRAP_CONFIG" in env(second["spec"]["containers"][1])
    assert len(second["spec"]["volumes"]) == 1
    assert report(second)["containers"] == ["server", "proxy"]


def test_a_copied_annotation_does_not_count() -> None:
    """Users copy the YAML of a pod into a template."""
    manifest = pod(annotations={INJECTED: '{"containers": ["server"]}'})
    assert inject_into(manifest).result == "injected"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"containers": 1}', '{"containers": [1, null]}'])
def test_a_damaged_annotation_does_not_count(text: str) -> None:
    """It is replaced."""
    assert report(injected(pod(annotations={INJECTED: text})))["containers"] == ["server"]


def test_a_pod_near_a_size_limit_is_left_alone() -> None:
    """The API server would refuse the pod, not the patch."""
    annotations = {"note": "x" * (256 * 1024 - 100)}
    mutation = inject_into(pod(annotations=annotations))
    assert (mutation.result, mutation.patch) == ("not_injected", ())
    assert mutation.warnings == ("steerway: not injected: its annotations would exceed 256 KiB",)
    large = pod({"name": "server", "args": ["x" * (1 << 20)]})
    assert report(injected(large)) == {"reason": "the pod would exceed 1024 KiB"}


_NAMES = st.sampled_from(["a", "b", "server", "proxy"])
_VARIABLES = st.lists(
    st.sampled_from(["A", "GRPC_XDS_BOOTSTRAP", "GRPC_XDS_BOOTSTRAP_CONFIG", "INJECTED_POD_NAME"]).map(
        lambda name: {"name": name, "value": "1"}
    ),
    max_size=4,
)
_MOUNTS = st.lists(
    st.sampled_from(["/data", "/etc", "/etc/steerway", "/var/run", CERTIFICATES]).map(
        lambda path: {"name": "data", "mountPath": path}
    ),
    max_size=2,
)
_CONTAINERS = st.lists(
    st.builds(
        lambda name, lists: {"name": name, **lists},
        _NAMES,
        st.fixed_dictionaries(
            {}, optional={"env": st.none() | _VARIABLES, "volumeMounts": st.none() | _MOUNTS}
        ),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda container: str(container["name"]),
)
_ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "steerway.io/inject-containers": st.sampled_from(["", "a", "a,b", "typo", ",", "proxy,typo"]),
        "steerway.io/inject-method": st.sampled_from(["volume", "environment", "x"]),
        "steerway.io/inject-credentials": st.sampled_from(["tls", "insecure", ""]),
        "steerway.io/inject-certificates": st.sampled_from(["enabled", "disabled", "on"]),
        "steerway.io/bootstrap": st.just("{}"),
        INJECTED: st.sampled_from(["{}", '{"containers": ["a", "server"]}', "x"]),
    },
)
_SPECS = st.fixed_dictionaries(
    {},
    optional={
        "os": st.none() | st.just({"name": "windows"}),
        "hostNetwork": st.booleans(),
        "volumes": st.none()
        | st.lists(
            st.sampled_from(["data", "steerway", "steerway-certificates"]).map(lambda name: {"name": name})
        ),
    },
)


@settings(deadline=None)
@given(_CONTAINERS, _CONTAINERS, _ANNOTATIONS, _SPECS, st.sampled_from([PLAIN, BOTH, CERTIFIED]))
def test_the_result_is_valid_and_stable(
    containers: list[Manifest],
    init: list[Manifest],
    annotations: dict[str, str],
    spec: dict[str, Any],
    options: InjectionOptions,
) -> None:
    """Applied twice it is the same; nothing of the user is changed; names that must be unique stay so."""
    init = [{**container, "name": f"init-{container['name']}"} for container in init]
    manifest = pod(*containers, annotations=annotations, initContainers=init, **spec)
    mutation = inject_into(manifest, options)
    result = patched(manifest, mutation.patch)
    second = inject_into(result, options, uid="2")
    assert second.patch == ()
    assert (mutation.result == "injected") <= (second.result == "unchanged")
    for field in ("containers", "initContainers"):
        for before, after in zip(manifest["spec"][field], result["spec"][field], strict=True):
            for key in ("env", "volumeMounts"):
                kept = before.get(key) or []
                assert (after.get(key) or [])[: len(kept)] == kept
                added = (after.get(key) or [])[len(kept) :]
                unique = "name" if key == "env" else "mountPath"
                assert not {item[unique] for item in added} & {item[unique] for item in kept}
            assert {**before, "env": 0, "volumeMounts": 0} == {**after, "env": 0, "volumeMounts": 0}
    volumes = [volume["name"] for volume in result["spec"].get("volumes") or []]
    given_volumes = [volume["name"] for volume in manifest["spec"].get("volumes") or []]
    assert volumes[: len(given_volumes)] == given_volumes
    for name in ("steerway", "steerway-certificates"):
        assert volumes.count(name) <= max(1, given_volumes.count(name))
    if mutation.result != "injected":
        assert result["spec"] == manifest["spec"]
