"""What an operator can do about a failed request: one sentence for each kind of failure."""

from steerway.sources.kubernetes.event import Failure

_CURES = {
    "connection failed": "check that {server} is the API server's address and lets this host connect",
    "connection lost": "nothing to do if it comes back: clients keep what they have",
    "timed out": "check that {server} answers and that no firewall drops its packets",
    "name not resolved": "check the host name in {server} and this host's DNS",
    "TLS failed": "check the kubeconfig's certificate-authority and client certificate against {server}",
    "certificates unreadable": "check the certificate and key files that the kubeconfig names",
    "credentials unreadable": "check that the token and certificate files of the kubeconfig exist",
    "credentials refused": "run the kubeconfig's plugin by hand, or log in again",
    "credentials timed out": "run the kubeconfig's plugin by hand: it must not wait for input",
    "configuration unreadable": "check the kubeconfig with: kubectl config view",
    "unreadable list": "check that {server} is a Kubernetes API server and that no proxy changes its answers",
}


def cure(failure: Failure, verb: str, plural: str, group: str, server: str) -> str:
    """The cure for `failure` of `verb` (list or watch) on `plural` of an API group ("": the core group)."""
    if failure.status == 401:
        return "the credentials are not accepted: check the kubeconfig's user or the service account"
    if failure.status == 403:
        rule = f"{{apiGroups: ['{group}'], resources: [{plural}], verbs: [get, list, watch]}}"
        return f"grant it: add {rule} to the rules of a Role or ClusterRole that is bound to this user"
    if failure.status == 404:
        return f"{server} does not know {plural} of {group or 'the core group'}: Kubernetes 1.21 or later is needed"
    if failure.status is not None:
        return f"the API server cannot {verb} now; it is asked again" if failure.status >= 429 else ""
    return _CURES.get(failure.reason, "").format(server=server or "the server of the kubeconfig")
