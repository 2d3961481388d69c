"""Pods and nodes are users of the API server, with no more than their own permissions."""

import json

from testbed.cluster.cluster import Cluster
from testbed.cluster.namespace import Namespace
from tests.cluster.conftest import NEEDS_CLUSTER
from tests.cluster.kubelet.conftest import IDLE, RunPod, container
from tests.cluster.kubelet.test_volume import secret

pytestmark = NEEDS_CLUSTER

_LIST_PODS = """
import os, ssl, urllib.request, urllib.error
folder = "/var/run/secrets/kubernetes.io/serviceaccount/"
token, namespace = (open(folder + name).read() for name in ("token", "namespace"))
host = os.environ["KUBERNETES_SERVICE_HOST"] + ":" + os.environ["KUBERNETES_SERVICE_PORT"]
url = f"https://{host}/api/v1/namespaces/{namespace}/pods"
request = urllib.request.Request(url, headers={"Authorization": "Bearer " + token})
try:
    print(urllib.request.urlopen(request, context=ssl.create_default_context(cafile=folder + "ca.crt")).status)
except urllib.error.HTTPError as error:
    print(error.read().decode())
"""
"""What a client in a pod does by default, with what every pod has."""


def test_a_pod_is_its_service_account_at_the_api_server(namespace: Namespace, run_pod: RunPod) -> None:
    """By the Service `kubernetes`, whose certificate it can verify; it may do what its account may."""
    account = namespace.account("reader")
    pod = run_pod(container(*IDLE), serviceAccountName="reader").wait_until_ready()
    refused = pod.execute("python3", "-c", _LIST_PODS).output
    assert f'User \\"system:serviceaccount:{namespace.name}:reader\\" cannot list resource' in refused
    account.allow("pods", everywhere=False)
    assert pod.execute("python3", "-c", _LIST_PODS).output == "200\n"


def test_a_node_may_not_act_for_another(cluster: Cluster, namespace: Namespace, run_pod: RunPod) -> None:
    """It reads only Secrets of its own pods (node authorizer) and changes only itself (NodeRestriction)."""
    namespace.api.apply(secret(namespace))
    reference = {"secretKeyRef": {"name": "password", "key": "password"}}
    run_pod(
        container(*IDLE, env=[{"name": "P", "valueFrom": reference}]), nodeName="node-0"
    ).wait_until_ready()
    path = f"/api/v1/namespaces/{namespace.name}/secrets/password"
    own, other = (_token(cluster, node) for node in ("node-0", "node-1"))
    assert cluster.api.status_as(own, path) == 200
    assert cluster.api.status_as(other, path) == 403
    change = {"metadata": {"annotations": {"example.com/x": "y"}}}
    assert cluster.api.refusal_of_change(own, "Node", "node-0", change) == ""
    assert "not allowed to modify node" in cluster.api.refusal_of_change(other, "Node", "node-0", change)


def _token(cluster: Cluster, node: str) -> str:
    document = json.loads(cluster.commands.credentials.kubeconfig(node).read_text())
    token: str = document["users"][0]["user"]["token"]
    return token
