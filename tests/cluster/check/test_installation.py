"""A healthy installation passes each check; what is broken fails one, and its fix, once applied, makes it pass."""

import json
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from testbed.cluster.cluster import Cluster
from testbed.cluster.gateway_crds import policy_crd
from testbed.cluster.namespace import Namespace
from testbed.manifest import service
from testbed.process.deadline import PATIENCE_SECONDS, until
from tests.cluster.check.conftest import Release
from tests.cluster.conftest import NEEDS_CLUSTER

pytestmark = [*NEEDS_CLUSTER, pytest.mark.needs("go")]


def test_a_healthy_installation_passes(release: Release, cluster: Cluster) -> None:
    """By the command. Objects are those of other tests, too, and clients there are none."""
    program = Path(sys.executable).with_name("steerway")
    kubeconfig = ["--kubeconfig", str(cluster.commands.kubeconfig)]
    command = [program, "check", "--kubernetes", *kubeconfig, "--steerway-namespace", release.namespace]
    done = subprocess.run(
        [*command, "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_SECONDS,
    )
    document = json.loads(done.stdout)
    results = [
        (check["name"], result["level"], result["text"])
        for section in document["sections"]
        for check in section["checks"]
        for result in check["results"]
        if check["name"] != "objects"
    ]
    assert len(results) > 20
    # What replicas report may be about objects of other tests.
    wrong = [result for result in results if result[1] != "ok" and not _is_foreign(result[2])]
    certificates = (
        "workloads get no certificates of steerway (signer.enabled of the chart, injection.certificates)"
    )
    assert wrong == [
        *((name, "skipped", certificates) for name in ("pod-certificates", "signer", "trust-bundle")),
        ("client-libraries", "skipped", "no client is connected"),
    ]
    assert document["ok"] == (done.returncode == 0)


def _is_foreign(text: str) -> bool:
    return (
        text.startswith("replica steerway-") and "reports" in text and text.endswith(("problem", "problems"))
    )


def test_a_permission_that_is_missing(release: Release) -> None:
    """The manifest of the fix is a role with its binding."""
    release.kubectl("delete", "clusterrolebinding", f"{release.namespace}:steerway")
    failures = release.checker.failures("permissions")
    texts = " ".join(result.text for result in failures)
    assert f"ServiceAccount {release.namespace}/steerway may not list, watch services in the cluster" in texts
    assert "resources: [services]" in " ".join(result.hint for result in failures)
    for failure in failures:
        release.apply(failure.manifest)
    assert release.checker.is_ok("permissions")


def test_a_lease_that_is_deleted(release: Release) -> None:
    assert release.checker.is_ok("lease")
    release.kubectl("delete", "lease", "steerway")
    (failure,) = release.checker.failures("lease")
    assert failure.text == f"Lease {release.namespace}/steerway does not exist"
    release.apply(failure.manifest)
    until(lambda: release.checker.is_ok("lease"), "a renewal of the Lease", 100.0)


def test_no_replica(release: Release) -> None:
    release.kubectl("scale", "deployment/steerway", "--replicas=0")
    (failure,) = release.checker.failures("replicas")
    release.tools.run("kubectl", *shlex.split(failure.hint)[1:])
    until(lambda: release.checker.is_ok("replicas"), "two replicas that are ready", 100.0)


def test_a_program_that_does_not_start(release: Release) -> None:
    """The reason is that of the container; the old pods serve meanwhile."""
    path = "/spec/template/spec/containers/0/command"
    absent = ["/bin/false"]
    release.patch("deployment", "steerway", [{"op": "replace", "path": path, "value": absent}])
    failure = until(lambda: _ended(release), "a pod whose container has ended")
    assert "the container ended with exit code 1" in failure
    release.kubectl("rollout", "undo", "deployment/steerway")
    until(lambda: release.checker.is_ok("replicas"), "two replicas that are ready", 100.0)


def _ended(release: Release) -> str:
    texts = [result.text for result in release.checker.results("replicas")]
    return next((text for text in texts if "exit code" in text), "")


def test_settings_of_another_version(release: Release) -> None:
    path = "/data/steerway.yaml"
    former = release.kubectl("get", "configmap", "steerway", "--output=jsonpath={.data.steerway\\.yaml}")
    changed = f"{former}\nno_such_setting: 1\n"
    release.patch("configmap", "steerway", [{"op": "replace", "path": path, "value": changed}])
    (failure,) = release.checker.failures("settings")
    assert f"ConfigMap {release.namespace}/steerway" in failure.text
    assert "no_such_setting" in failure.text
    release.patch("configmap", "steerway", [{"op": "replace", "path": path, "value": former}])
    assert release.checker.is_ok("settings")


def test_the_definition_of_an_older_version(release: Release, cluster: Cluster) -> None:
    older = policy_crd()
    (version,) = older["spec"]["versions"]
    del version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["session"]
    cluster.api.apply(older)
    (failure,) = release.checker.failures("policy-definitions")
    assert "schema" in failure.text
    release.apply(failure.manifest)
    assert release.checker.is_ok("policy-definitions")


def test_a_webhook_that_fails_pods(release: Release) -> None:
    name = f"steerway.{release.namespace}.steerway.io"
    kind = "mutatingwebhookconfiguration"
    path = "/webhooks/0/failurePolicy"
    release.patch(kind, name, [{"op": "replace", "path": path, "value": "Fail"}])
    (failure,) = release.checker.failures("webhook")
    assert "failurePolicy" in failure.text
    release.patch(kind, name, [{"op": "replace", "path": path, "value": "Ignore"}])
    assert release.checker.is_ok("webhook")


def test_a_webhook_that_is_deleted(release: Release) -> None:
    """After the upgrade that the fix names, steerway writes `caBundle` again."""
    release.kubectl("delete", "mutatingwebhookconfiguration", f"steerway.{release.namespace}.steerway.io")
    (failure,) = release.checker.failures("webhook")
    assert "does not exist" in failure.text
    assert "upgrade the release" in failure.hint
    release.helm("upgrade", "--force-conflicts")
    assert release.checker.is_ok("webhook")
    until(lambda: release.checker.is_ok("webhook-ca-bundle"), "caBundle", 100.0)
    assert release.checker.is_ok("webhook-certificate")


def test_a_certificate_that_has_expired(release: Release) -> None:
    release.store(release.issued(begin=timedelta(days=-2), end=timedelta(hours=-1)))
    (failure,) = release.checker.failures("xds-certificate")
    assert "expired on" in failure.text
    release.store(release.issued())
    assert release.checker.is_ok("xds-certificate")


def test_a_token_that_is_deleted(release: Release) -> None:
    release.kubectl("delete", "secret", "steerway-admin")
    (failure,) = release.checker.failures("admin-token")
    assert f"Secret {release.namespace}/steerway-admin" in failure.text
    release.helm("upgrade", "--force-conflicts")
    assert release.checker.is_ok("admin-token")


def test_a_network_policy_without_ports(release: Release) -> None:
    """The rules of the fixes open them."""
    path = "/spec/ingress"
    release.patch("networkpolicy", "steerway", [{"op": "replace", "path": path, "value": []}])
    failures = release.checker.failures("network-policy")
    assert {"xds", "xds-tls", "injection", "admin"} == {
        result.text.partition(" open port ")[2].partition(" ")[0] for result in failures
    }
    rules = [rule for failure in failures for rule in yaml.safe_load(failure.hint.partition("\n")[2])]
    release.patch("networkpolicy", "steerway", [{"op": "replace", "path": path, "value": rules}])
    assert release.checker.is_ok("network-policy")


def test_a_service_without_a_port(release: Release) -> None:
    path = "/spec/ports/0/targetPort"
    release.patch("service", "steerway", [{"op": "replace", "path": path, "value": "web"}])
    (failure,) = release.checker.failures("service")
    assert "targetPort: xds" in failure.hint
    release.patch("service", "steerway", [{"op": "replace", "path": path, "value": "xds"}])
    assert release.checker.is_ok("service")


def test_an_object_that_cannot_be_served(release: Release, namespace: Namespace) -> None:
    """As `steerway check` reports it of files."""
    bad = service("bad", {"": 80}, namespace=namespace.name, type="ExternalName", externalName="10.0.0.1")
    namespace.api.apply(bad)
    where = f"Service {namespace.name}/bad"
    (failure,) = (item for item in release.checker.failures("objects") if item.text.startswith(where))
    assert "10.0.0.1" in failure.text
    namespace.api.apply({**bad, "spec": {**bad["spec"], "externalName": "example.com"}})
    assert not [item for item in release.checker.results("objects") if item.text.startswith(where)]
