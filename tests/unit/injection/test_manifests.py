"""The manifests of `deploy/injection` agree with the code, and with each other."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway.bootstrap.address import ServerAddress
from steerway.bootstrap.document import SERVER_LISTENER_TEMPLATE, Bootstrap, FileWatcher, Node, Server
from steerway.config import Settings
from steerway.control.injection import injection_options
from steerway.injection.application import PATH
from steerway.injection.options import CERTIFICATES_PATH, MOUNT_PATH
from steerway.injection.pod import CERTIFICATES_VOLUME
from testbed.manifest import Manifest

DEPLOY = Path(__file__).parents[3] / "deploy" / "injection"
SERVER = ServerAddress("steerway.steerway-system.svc.cluster.local", 18000)


def load(name: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all((DEPLOY / name).read_text()) if document]


def expected(name: str, namespace: str, cluster: str = "", *, certificates: bool = False) -> Any:
    """The bootstrap that steerway itself would write."""
    node = Node(f"$({name}).$({namespace})", cluster, metadata={"NAMESPACE": f"$({namespace})"})
    made = Bootstrap((Server(SERVER),), node, server_listener_template=SERVER_LISTENER_TEMPLATE)
    return (made.with_certificates(FileWatcher(CERTIFICATES_PATH)) if certificates else made).document()


def test_all_ways_have_the_same_bootstrap() -> None:
    """As far as each way knows the pod."""
    injected = expected("INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE")
    _, config_map, *_ = load("policy/policy.yaml")
    assert json.loads(config_map["data"]["bootstrap"]) == injected

    (kyverno,) = load("kyverno/policy.yaml")
    expressions = {item["name"]: item["expression"] for item in kyverno["spec"]["variables"]}
    assert json.loads(expressions["bootstrap"].strip("'")) == injected

    (servers,) = load("recipe/configmap.yaml")
    (deployment,) = load("recipe/deployment.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    *before, config = container["env"]
    text = config["value"].replace("$(XDS_SERVERS)", servers["data"]["XDS_SERVERS"])
    assert json.loads(text) == expected("POD_NAME", "POD_NAMESPACE", "$(SERVICE_ACCOUNT)")
    assert set(re.findall(r"\$\((\w+)\)", config["value"])) == {variable["name"] for variable in before}


def test_certificates_are_those_of_the_webhook() -> None:
    """In the policy and in the recipe: the same files by the same sources."""
    (config_map,) = load("policy/certificates.yaml")
    injected = expected("INJECTED_POD_NAME", "INJECTED_POD_NAMESPACE", certificates=True)
    assert json.loads(config_map["data"]["bootstrap"]) == injected
    assert config_map["metadata"] == load("policy/policy.yaml")[1]["metadata"]

    (servers,) = load("recipe/configmap.yaml")
    (deployment,) = load("recipe/deployment-certificates.yaml")
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    text = container["env"][-1]["value"].replace("$(XDS_SERVERS)", servers["data"]["XDS_SERVERS"])
    recipe = expected("POD_NAME", "POD_NAMESPACE", "$(SERVICE_ACCOUNT)", certificates=True)
    assert json.loads(text) == recipe
    options = injection_options(Settings())
    (volume,) = spec["volumes"]
    assert volume == {
        "name": CERTIFICATES_VOLUME,
        "projected": {"sources": options.certificate_sources()},
    }
    mount = {"name": CERTIFICATES_VOLUME, "mountPath": CERTIFICATES_PATH, "readOnly": True}
    assert container["volumeMounts"] == [mount]
    assert config_map["data"]["signerName"] == options.signer_name


def test_the_webhook_is_that_of_the_default_settings() -> None:
    """It names the Service and the path, and leaves `caBundle` to steerway."""
    defaults = Settings().injection
    (configuration,) = load("webhook/webhook.yaml")
    assert configuration["metadata"]["name"] == defaults.webhook
    assert len(configuration["webhooks"]) == 2
    for webhook in configuration["webhooks"]:
        assert list(webhook["clientConfig"]) == ["service"]
        service = webhook["clientConfig"]["service"]
        assert (service["name"], service["path"]) == (defaults.service, PATH)
        assert webhook["failurePolicy"] == "Ignore"
        assert webhook["sideEffects"] == "None"
        assert webhook["admissionReviewVersions"] == ["v1"]


def test_permissions_are_those_of_the_default_settings() -> None:
    """For single objects, where RBAC allows it."""
    defaults = Settings().injection
    rules = [rule for manifest in load("webhook/rbac.yaml") for rule in manifest.get("rules", [])]
    named = {tuple(rule["resources"]): rule["resourceNames"] for rule in rules if "resourceNames" in rule}
    assert named == {
        ("secrets",): [defaults.secret],
        ("mutatingwebhookconfigurations",): [defaults.webhook],
    }


def test_webhook_and_policy_select_the_same_pods() -> None:
    """Each pod by at most one of the two selectors."""
    (configuration,) = load("webhook/webhook.yaml")
    bindings = [
        manifest for manifest in load("policy/policy.yaml") if manifest["kind"].endswith("PolicyBinding")
    ]
    keys = ("namespaceSelector", "objectSelector")
    of_webhook = [[webhook[key] for key in keys] for webhook in configuration["webhooks"]]
    assert of_webhook == [[binding["spec"]["matchResources"][key] for key in keys] for binding in bindings]
    by_namespace, by_pod = of_webhook
    assert by_namespace[1]["matchExpressions"] == [
        {"key": "steerway.io/inject", "operator": "NotIn", "values": ["enabled", "disabled"]}
    ]
    assert by_pod[1] == {"matchLabels": {"steerway.io/inject": "enabled"}}
    (kyverno,) = load("kyverno/policy.yaml")
    assert kyverno["spec"]["matchConstraints"]["namespaceSelector"] == by_pod[0]


@pytest.mark.parametrize("name", ["policy/policy.yaml"])
def test_the_policy_mounts_where_the_webhook_does(name: str) -> None:
    """The files of a bootstrap with TLS are at the same paths."""
    text = (DEPLOY / name).read_text()
    assert set(re.findall(r"mountPath: '([^']+)'", text)) == {MOUNT_PATH, CERTIFICATES_PATH}
