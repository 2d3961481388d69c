"""The command line of each part of the cluster: which flags, and why.

All of them listen on addresses of the cluster's own network namespace, so the ports are always free. A second cluster
in the same namespace has other ports.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from testbed.cluster.credentials import Credentials
from testbed.cluster.network import NODE, SERVICES

_API_SERVER_PORT = 6443
_ETCD_PORT = 2379
_ETCD_PEER_PORT = 2380
API_SERVER = f"https://{NODE}:{_API_SERVER_PORT}"
"""Of the first cluster. Loopback is refused as an endpoint of the Service `kubernetes`."""
KUBERNETES = "10.96.0.1"
"""The ClusterIP of the Service `kubernetes`: the first address of its range."""
SERVER_NAME = "kubernetes.default.svc"
"""A name of any API server in its certificate, for clients that reach it through a forwarder."""
API_SERVER_NAMES = (
    NODE,
    KUBERNETES,
    "localhost",
    "127.0.0.1",
    "kubernetes",
    "kubernetes.default",
    SERVER_NAME,
)
"""All names in its certificate."""
DNS_SERVER = "10.96.0.10"
"""The cluster's DNS server, on port 53: the address that kubeadm gives it."""
NODES = {"node-0": "10.244.0.10", "node-1": "10.244.0.11"}
"""The address of each node."""
_CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,endpointslice-controller,"
    "garbage-collector-controller,namespace-controller,serviceaccount-controller,job-controller,"
    "disruption-controller,clusterrole-aggregation-controller,"
    # Pods mount the root certificate; nodes get ready.
    "root-ca-certificate-publisher-controller,node-lifecycle-controller"
)
_FAST = ("--kube-api-qps=500", "--kube-api-burst=1000")
_ALONE = ("--leader-elect=false", "--secure-port=0")


class Commands:
    """The commands of a cluster whose state is in `folder`; `box` is the kubebox program. `shift` is added to ports.

    `images` are root file systems by image name; containers of other images have this machine's. The OCI image
    configuration of the root file system FOLDER is FOLDER.json, if there is one. `api_server_options`: further flags of
    the API server.
    """

    def __init__(
        self,
        box: Path,
        folder: Path,
        shift: int = 0,
        images: Mapping[str, Path] = MappingProxyType({}),
        api_server_options: Sequence[str] = (),
    ) -> None:
        self.images = images
        self._api_server_options = api_server_options
        self._box = str(box)
        self._etcd = f"http://127.0.0.1:{_ETCD_PORT + shift}"
        self._etcd_peer = f"http://127.0.0.1:{_ETCD_PEER_PORT + shift}"
        self._port = _API_SERVER_PORT + shift
        self.server = f"https://{NODE}:{self._port}"
        self.folder = folder
        self.credentials = Credentials(folder)
        self.kubeconfig = self.credentials.kubeconfig("admin")
        self.certificate = self.credentials.authority
        """That clients verify the API server's certificate with."""

    def etcd(self) -> list[str]:
        urls = ["--client-url", self._etcd, "--peer-url", self._etcd_peer]
        return [self._box, "etcd", "--data-dir", str(self.folder / "etcd"), *urls]

    def api_server(self) -> list[str]:
        files = self.credentials
        return [
            self._box,
            "kube-apiserver",
            f"--etcd-servers={self._etcd}",
            f"--bind-address={NODE}",
            f"--secure-port={self._port}",
            f"--tls-cert-file={files.api_server.certificate}",
            f"--tls-private-key-file={files.api_server.key}",
            f"--client-ca-file={files.authority}",
            f"--service-cluster-ip-range={','.join(SERVICES)}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--token-auth-file={files.tokens}",
            f"--service-account-issuer=https://{SERVER_NAME}",
            f"--service-account-key-file={files.service_account_key}",
            f"--service-account-signing-key-file={files.service_account_key}",
            f"--kubelet-certificate-authority={files.authority}",
            f"--kubelet-client-certificate={files.api_server_client.certificate}",
            f"--kubelet-client-key={files.api_server_client.key}",
            "--kubelet-preferred-address-types=InternalIP",
            "--allow-privileged",
            "--enable-priority-and-fairness=false",
            *self._api_server_options,
        ]

    def controllers(self) -> list[str]:
        files = self.credentials
        return [
            self._box,
            "kube-controller-manager",
            f"--kubeconfig={files.kubeconfig('controllers')}",
            f"--controllers={_CONTROLLERS}",
            "--use-service-account-credentials",
            # A node whose kubelet has no CPU on a busy machine keeps its pods.
            "--node-monitor-grace-period=120s",
            f"--service-account-private-key-file={files.service_account_key}",
            f"--root-ca-file={files.authority}",
            *_ALONE,
            *_FAST,
        ]

    def scheduler(self) -> list[str]:
        file = self.credentials.kubeconfig("scheduler")
        return [self._box, "kube-scheduler", f"--kubeconfig={file}", *_ALONE, *_FAST]

    def kubelet(self, node: str) -> list[str]:
        """A node in a zone of its own; pods are processes, each with an address of the node's range."""
        files = self.credentials
        number = list(NODES).index(node)
        return [
            self._box,
            "kubelet",
            f"--name={node}",
            f"--address={NODES[node]}",
            f"--pod-cidr=10.244.{number + 1}.0/24",
            f"--labels=topology.kubernetes.io/zone=zone-{number}",
            f"--kubeconfig={files.kubeconfig(node)}",
            f"--client-ca={files.authority}",
            f"--certificate={files.kubelet(node).certificate}",
            f"--key={files.kubelet(node).key}",
            f"--folder={self.folder / node}",
            f"--cluster-dns={DNS_SERVER}",
            *(f"--image={name}={root}" for name, root in self.images.items()),
        ]

    def proxy(self) -> list[str]:
        """The nftables mode of kube-proxy, for the whole namespace."""
        return [self._box, "proxy", f"--kubeconfig={self.credentials.kubeconfig('proxy')}"]

    def dns(self) -> list[str]:
        """The cluster's DNS server."""
        return [self._box, "dns", f"--kubeconfig={self.kubeconfig}", f"--address={DNS_SERVER}:53"]
