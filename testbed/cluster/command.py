"""The command line of each part of the cluster: which flags, and why.

All of them listen on loopback of the cluster's own network namespace, so the ports are always free. A second cluster in
the same namespace has other ports.
"""

from pathlib import Path

_API_SERVER_PORT = 6443
_ETCD_PORT = 2379
_ETCD_PEER_PORT = 2380
API_SERVER = f"https://127.0.0.1:{_API_SERVER_PORT}"
"""Of the first cluster."""
_ADVERTISED = "10.244.0.1"
"""Loopback is refused as the address of the Service `kubernetes`."""
_SERVICES = "10.96.0.0/16,fd00:96::/112"
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
        self.server = f"https://127.0.0.1:{self._port}"
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
            "--bind-address=127.0.0.1",
            f"--secure-port={self._port}",
            f"--advertise-address={_ADVERTISED}",
            f"--cert-dir={self.certificate.parent}",
            f"--service-cluster-ip-range={_SERVICES}",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self.tokens}",
            "--service-account-issuer=https://kubernetes.default.svc",
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
