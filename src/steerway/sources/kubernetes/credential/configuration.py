"""What requests to an API server need, from the entries of a kubeconfig or from the files of a service account.

The order of credentials is client-go's: a token file, a token, a password; a plugin runs only without them. The
`auth-provider` of OIDC is read, never refreshed: a refresh may end the session of the kubectl that owns the file.
"""

import base64
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from steerway.errors import SourceError
from steerway.sources.kubernetes.credential import exec_plugin
from steerway.sources.kubernetes.credential.kubeconfig import Entry


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM. Without `authority`: the system's."""

    authority: bytes = b""
    certificate: bytes = b""
    key: bytes = b""
    verify: bool = True
    server_name: str = ""
    """The name in the server's certificate, when it is not the one of the URL."""


@dataclass(frozen=True, slots=True)
class Configuration:
    server: str
    """URL, without a slash at the end."""
    tls: Tls
    authorization: str = ""
    """The header of requests; "": none."""
    proxy: str = ""
    expires_at: float | None = None
    """Unix time at which the credentials of a plugin expire; None: not known."""
    plugin: bool = False
    """The credentials are those of a plugin, which is not to be run more often than they expire."""


async def of_entries(cluster: Entry, user: Entry | None) -> Configuration:
    """Raises OSError, SourceError for an invalid entry, and PluginError."""
    configuration = Configuration(_server(cluster), _tls(cluster, user), proxy=_proxy(cluster))
    if user is None:
        return configuration
    if user.text("as"):
        raise user.invalid("impersonation (as) is not supported: use credentials of that identity")
    authorization = _authorization(user)
    if authorization or user.section("exec") is None:
        return replace(configuration, authorization=authorization)
    credential = await exec_plugin.run(user, cluster)
    tls = configuration.tls
    if credential.certificate:
        tls = replace(tls, certificate=credential.certificate, key=credential.key)
    return replace(
        configuration,
        tls=tls,
        authorization=f"Bearer {credential.token}" if credential.token else "",
        expires_at=credential.expires_at,
        plugin=True,
    )


def of_service_account(folder: Path, environ: Mapping[str, str]) -> Configuration:
    """The files that Kubernetes mounts into a pod. Raises OSError and SourceError."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "")
    if not host or not port:
        raise SourceError("KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not both set")
    host = f"[{host}]" if ":" in host else host
    token = _first_line(folder / "token")
    return Configuration(
        f"https://{host}:{port}",
        Tls(authority=(folder / "ca.crt").read_bytes()),
        authorization=f"Bearer {token}",
    )


def _server(cluster: Entry) -> str:
    server = cluster.text("server").rstrip("/")
    if not server:
        raise cluster.invalid("it has no server")
    url = urllib.parse.urlsplit(server)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise cluster.invalid(f"server {server} is not a URL of https or http")
    return server


def _proxy(cluster: Entry) -> str:
    proxy = cluster.text("proxy-url")
    if proxy and urllib.parse.urlsplit(proxy).scheme not in ("http", "https"):
        raise cluster.invalid(f"proxy-url {proxy} is not supported: use a proxy of http or https")
    return proxy


def _tls(cluster: Entry, user: Entry | None) -> Tls:
    if not cluster.text("server").startswith("https:"):
        return Tls()
    certificate, key = (
        (user.content("client-certificate"), user.content("client-key")) if user else (b"", b"")
    )
    if user and bool(certificate) != bool(key):
        raise user.invalid("client-certificate and client-key belong together")
    return Tls(
        authority=cluster.content("certificate-authority"),
        certificate=certificate,
        key=key,
        verify=not cluster.flag("insecure-skip-tls-verify"),
        server_name=cluster.text("tls-server-name"),
    )


def _authorization(user: Entry) -> str:
    if path := user.text("tokenFile"):
        return f"Bearer {_first_line(user.folder / path)}"
    if token := user.text("token") or _oidc_token(user):
        return f"Bearer {token}"
    if name := user.text("username"):
        return "Basic " + base64.b64encode(f"{name}:{user.text('password')}".encode()).decode()
    return ""


def _oidc_token(user: Entry) -> str:
    if (provider := user.section("auth-provider")) is None:
        return ""
    name, config = provider.get("name"), provider.get("config")
    token = config.get("id-token") if isinstance(config, dict) else None
    if name != "oidc" or not isinstance(token, str) or not token:
        raise user.invalid(
            f"auth-provider {name} is not supported without an id-token: use an exec plugin (kubectl's"
            " oidc-login, gke-gcloud-auth-plugin, kubelogin), or a service account"
        )
    return token


def _first_line(path: Path) -> str:
    """A token; a header has no line breaks. Raises OSError."""
    lines = path.read_text(encoding="utf-8", errors="replace").split()
    if not lines:
        raise OSError(f"{path}: empty")
    return lines[0]
