"""The command line of each part of the cluster: which flags, and why.

All of them listen on addresses of the cluster's own network namespace, so the ports are always free. A second cluster
in the same namespace has other ports.
"""

from pathlib import Path

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
DNS_SERVER = "10.96.0.10"
"""The cluster's DNS server, on port 53: the address that kubeadm gives it."""
_FIRST_POD = "10.244.1.1"
_POD_CIDR = "10.244.0.0/16"
_CONTROLLERS = (
    "deployment-controller,replicaset-controller,statefulset-controller,endpointslice-controller,"
    "garbage-collector-controller,namespace-controller,serviceaccount-controller"
)
_FAST = ("--kube-api-qps=500", "--kube-api-burst=1000")
_ALONE = ("--leader-elect=false", "--secure-port=0")


class Commands:
    """The commands of a cluster whose state is in `folder`; `box` is the kubebox program. `shift` is added to ports."""

    def __init__(self, box: Path, folder: Path, shift: int = 0) -> None:
        self._box = str(box)
        self._etcd = f"http://127.0.0.1:{_ETCD_PORT + shift}"
        self._etcd_peer = f"http://127.0.0.1:{_ETCD_PEER_PORT + shift}"
        self._port = _API_SERVER_PORT + shift
        self.server = f"https://{NODE}:{self._port}"
        self.folder = folder
        self.kubeconfig = folder / "admin.kubeconfig"
        self.certificate = folder / "certs" / "apiserver.crt"
        """The API server's self-signed certificate, which it writes at its first start."""
        self.key = folder / "service-account.key"
        """Signs and verifies the tokens of service accounts."""
        self.tokens = folder / "tokens.csv"
        """Users that are none of service accounts: token, name, id, groups."""

    def etcd(self) -> list[str]:
        urls = ["--client-url", self._etcd, "--peer-url", self._etcd_peer]
        return [self._box, "etcd", "--data-dir", str(self.folder / "etcd"), *urls]

    def api_server(self) -> list[str]:
        return [
            self._box,
            "kube-apiserver",
            f"--etcd-servers={self._etcd}",
            # Its self-signed certificate is for this address and for the Service `kubernetes`.
            f"--bind-address={NODE}",
            f"--secure-port={self._port}",
            f"--cert-dir={self.certificate.parent}",
            f"--service-cluster-ip-range={','.join(SERVICES)}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.tokens}",
            f"--service-account-issuer=https://{SERVER_NAME}",
            f"--service-account-key-file={self.key}",
            f"--service-account-signing-key-file={self.key}",
            # Without a controller that makes their tokens and one that takes the taints away, no pod would start.
            "--disable-admission-plugins=ServiceAccount,TaintNodesByCondition",
            "--enable-priority-and-fairness=false",
        ]

    def controllers(self) -> list[str]:
        return [
            self._box,
            "kube-controller-manager",
            f"--kubeconfig={self.kubeconfig}",
            f"--controllers={_CONTROLLERS}",
            f"--service-account-private-key-file={self.key}",
            *_ALONE,
            *_FAST,
        ]

    def scheduler(self) -> list[str]:
        return [self._box, "kube-scheduler", f"--kubeconfig={self.kubeconfig}", *_ALONE, *_FAST]

    def kubelet(self) -> list[str]:
        """The stand-in: two nodes in a zone each; pods are processes with addresses of their own."""
        return [
            self._box,
            "fakelet",
            f"--kubeconfig={self.kubeconfig}",
            f"--pod-cidr={_POD_CIDR}",
            f"--first-ip={_FIRST_POD}",
            f"--log-dir={self.folder}",
            "--nodes=2",
        ]

    def proxy(self) -> list[str]:
        """The nftables mode of kube-proxy, for the whole namespace."""
        return [self._box, "proxy", f"--kubeconfig={self.kubeconfig}"]

    def dns(self) -> list[str]:
        """The cluster's DNS server."""
        return [self._box, "dns", f"--kubeconfig={self.kubeconfig}", f"--address={DNS_SERVER}:53"]
