"""What an operator can do about a failed request: one sentence for each kind of failure."""

from steerway.errors import SourceError
from steerway.sources.kubernetes.access import RequestError
from steerway.sources.kubernetes.event import SILENT, Failure

_NO_PERMISSION = "this is no matter of permissions"
_HINTS = {
    "connection refused": f"nothing listens there: start the API server, or correct address and port of {{server}} in"
    f" the kubeconfig; {_NO_PERMISSION}",
    "no route": f"check this host's network and routes to {{server}}, and network policies; {_NO_PERMISSION}",
    "connect timed out": f"check that {{server}} is up and that no firewall or network policy drops packets to it;"
    f" {_NO_PERMISSION}",
    "connection failed": "check that {server} is the API server's address and accepts connections from this host",
    "connection lost": "nothing to do if it comes back: clients keep what they have",
    "read timed out": "{server} accepts connections but does not answer: check its load and health (/livez)",
    SILENT: "check that {server} answers (/livez) and that no proxy holds back the watch",
    "name not resolved": "check the host name in {server} and this host's DNS",
    "proxy failed": "check HTTPS_PROXY, or add the host of {server} to NO_PROXY",
    "TLS failed": "check the kubeconfig's certificate-authority and client certificate against {server}",
    "TLS not spoken": "{server} does not speak TLS: check the port, or write http:// in the kubeconfig",
    "certificate not trusted": "check that the kubeconfig's certificate-authority signed the certificate of {server}",
    "certificate for another name": "the certificate of {server} has other names: use one of them in the kubeconfig, or"
    " set tls-server-name",
    "certificate not valid now": "renew the certificate of {server}, or correct this host's clock",
    "client certificate refused": "check the kubeconfig's client-certificate: {server} does not accept it",
    "certificates unreadable": "check the certificate and key files that the kubeconfig names",
    "credentials unreadable": "check that the token and certificate files of the kubeconfig exist",
    "credentials refused": "run the kubeconfig's plugin by hand, or log in again",
    "credentials timed out": "run the kubeconfig's plugin by hand: it must not wait for input",
    "configuration unreadable": "check the kubeconfig with: kubectl config view",
    "unreadable list": "check that {server} is a Kubernetes API server and that no proxy changes its answers",
}
_URL_HINTS = {
    **_HINTS,
    "connection refused": f"nothing listens there: start the server, or correct {{server}} in the setting;"
    f" {_NO_PERMISSION}",
    "connection failed": "check that {server} accepts connections from this host",
    "read timed out": "{server} accepts connections but does not answer: check its load",
    "TLS failed": "check the TLS set-up of {server}",
    "TLS not spoken": "{server} does not speak TLS: check its port",
    "certificate not trusted": "have the certificate of {server} signed by a CA that this host trusts",
    "certificate for another name": "the certificate of {server} has other names: use one of them in the setting",
    "client certificate refused": "{server} requires a client certificate: use a URL that does not",
}


def hint(failure: Failure, plural: str, group: str, server: str) -> str:
    """The hint for a failed list or watch of `plural` of an API group ("": the core group)."""
    if failure.status == 403:
        rule = f"{{apiGroups: ['{group}'], resources: [{plural}], verbs: [get, list, watch]}}"
        return f"grant it: add {rule} to the rules of a Role or ClusterRole that is bound to this user"
    if failure.status == 404:
        return f"{server} does not know {plural} of {group or 'the core group'}: Kubernetes 1.21 or later is needed"
    return server_hint(failure, server)


def server_hint(failure: Failure, server: str) -> str:
    """The hint for a failure that is none of a single kind; "" where there is none."""
    if failure.status == 401:
        return "the credentials are not accepted: check the kubeconfig's user or the service account"
    if failure.status is not None:
        return "the API server cannot answer now; it is asked again" if failure.status >= 429 else ""
    return _HINTS.get(failure.reason, "").format(server=server or "the server of the kubeconfig")


def request_hint(error: SourceError, permission: str, server: str) -> str:
    """The hint for a failed request that is none of an informer. `permission`: the one for a missing permission."""
    if not isinstance(error, RequestError):
        return error.hint
    return permission if error.failure.status == 403 else server_hint(error.failure, server)


def url_hint(failure: Failure, url: str) -> str:
    """The hint for a document that a setting names by its URL, and that is read without credentials."""
    if failure.status is not None:
        return f"check that {url} serves the document without credentials"
    return _URL_HINTS.get(failure.reason, "").format(server=url)
