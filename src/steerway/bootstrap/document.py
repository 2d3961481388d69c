"""The parts of a bootstrap, and its JSON document for the gRPC libraries.

grpc-go, grpc-java, C-core and grpc-js accept the document. Only what works in all of them can be expressed where they
differ: a `FileWatcher` has three files in one folder and whole seconds. What single libraries do not support is listed
by `limitation`.

Every part validates itself and raises SettingsError. Texts are copied as they are: `$(POD_NAME)` in an id is left for
the kubelet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from steerway.bootstrap.address import ServerAddress
from steerway.errors import SettingsError
from steerway.translate.client.metadata import CERTIFICATE_PROVIDER, PROVIDER
from steerway.translate.server_name import SERVER_LISTENER_TEMPLATE as SERVER_LISTENER_TEMPLATE

REFRESH_SECONDS = 60
"""How often clients read the files of a certificate provider again; libraries without the key: 600."""

# gRFC A53: a client keeps what it has when a resource disappears. grpc-js needs it: it never sees a resource again that
# went away and came back with equal content.
_FEATURES = ("xds_v3", "ignore_resource_deletion")


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS towards the control plane (gRFC A65). The client reads the files; `ca` "": its system's root certificates."""

    ca: str = ""
    certificate: str = ""
    key: str = ""

    def __post_init__(self) -> None:
        if bool(self.certificate) != bool(self.key):
            raise SettingsError("a client certificate and its private key belong together: give both")

    def document(self) -> dict[str, Any]:
        files = {
            "ca_certificate_file": self.ca,
            "certificate_file": self.certificate,
            "private_key_file": self.key,
        }
        return {"type": "tls", "config": {key: path for key, path in files.items() if path}}


@dataclass(frozen=True, slots=True)
class Insecure:
    """Plaintext towards the control plane."""

    def document(self) -> dict[str, Any]:
        return {"type": "insecure"}


Credentials = Tls | Insecure


@dataclass(frozen=True, slots=True)
class Server:
    """A control plane. A client uses the first of `credentials` that its library supports.

    `jwt_token_file`: a file whose content the client sends with each request (gRFC A97); "": none.
    """

    address: ServerAddress
    credentials: tuple[Credentials, ...] = (Insecure(),)
    jwt_token_file: str = ""
    features: tuple[str, ...] = _FEATURES

    def __post_init__(self) -> None:
        if not self.credentials:
            raise SettingsError(
                f"server {self.address} has no channel credentials: clients refuse the bootstrap"
            )
        # gRFC A97: call credentials are sent over a secure channel only.
        if self.jwt_token_file and not any(isinstance(item, Tls) for item in self.credentials):
            raise SettingsError(f"server {self.address}: clients send a token over TLS only")

    def document(self) -> dict[str, Any]:
        document: dict[str, Any] = {
            "server_uri": str(self.address),
            "channel_creds": [item.document() for item in self.credentials],
        }
        if self.jwt_token_file:
            config = {"jwt_token_file": self.jwt_token_file}
            document["call_creds"] = [{"type": "jwt_token_file", "config": config}]
        return document | {"server_features": list(self.features)}


@dataclass(frozen=True, slots=True)
class Node:
    """The identity and the locality of a client, as it sends them to the control plane. "" is left out."""

    id: str
    cluster: str = ""
    region: str = ""
    zone: str = ""
    sub_zone: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.id:
            raise SettingsError("the node id is empty: grpc-js refuses the bootstrap")

    def document(self) -> dict[str, Any]:
        locality = {"region": self.region, "zone": self.zone, "sub_zone": self.sub_zone}
        return {
            "id": self.id,
            **({"cluster": self.cluster} if self.cluster else {}),
            # grpc-js demands the key, empty or not.
            "locality": {key: value for key, value in locality.items() if value},
            "metadata": dict(self.metadata),
        }


@dataclass(frozen=True, slots=True)
class FileWatcher:
    """A certificate provider: three files in one folder, read again every `refresh_seconds` (at least 1).

    grpc-java uses no provider without all three, grpc-go none with files in two folders, grpc-js no bootstrap without
    the interval; grpc-java cuts it to whole seconds and refuses 0.
    """

    folder: str
    certificate: str = "tls.crt"
    key: str = "tls.key"
    ca: str = "ca.crt"
    refresh_seconds: int = REFRESH_SECONDS

    def __post_init__(self) -> None:
        if not self.folder:
            raise SettingsError("a certificate provider needs the folder of its files")
        names = (self.certificate, self.key, self.ca)
        if len(set(names)) != len(names) or any(not name or "/" in name for name in names):
            raise SettingsError(
                f"a certificate provider needs three files in its folder, not {', '.join(names)}"
            )
        if self.refresh_seconds < 1:
            raise SettingsError(f"a refresh interval of {self.refresh_seconds} s is too short: use 1 or more")

    def document(self) -> dict[str, Any]:
        folder = self.folder.rstrip("/")
        return {
            "plugin_name": "file_watcher",
            "config": {
                "certificate_file": f"{folder}/{self.certificate}",
                "private_key_file": f"{folder}/{self.key}",
                "ca_certificate_file": f"{folder}/{self.ca}",
                "refresh_interval": f"{self.refresh_seconds}s",
            },
        }


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """A whole bootstrap. The client uses the first server that it can connect to (gRFC A71).

    `authorities`: servers of the targets `xds://AUTHORITY/NAME` (gRFC A47). The templates have one `%s`, the place of a
    name; "" for the client is `%s`, for the server none: xDS servers cannot start with such a bootstrap.
    """

    servers: tuple[Server, ...]
    node: Node
    authorities: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    certificate_providers: Mapping[str, FileWatcher] = field(default_factory=dict)
    server_listener_template: str = ""
    client_listener_template: str = ""

    def __post_init__(self) -> None:
        if not self.servers:
            raise SettingsError("a bootstrap needs at least one server")
        for template in (self.server_listener_template, self.client_listener_template):
            if template:
                _validate_template(template, self.authorities)

    def with_certificates(self, files: FileWatcher) -> Self:
        """With the certificate provider of the control plane's TLS resources, which the metadata of the Node announces:
        a client without it refuses such resources, so it must not get them."""
        return replace(
            self,
            node=replace(self.node, metadata={**self.node.metadata, PROVIDER: CERTIFICATE_PROVIDER}),
            certificate_providers={**self.certificate_providers, CERTIFICATE_PROVIDER: files},
        )

    def document(self) -> dict[str, Any]:
        """The document of gRFC A27."""
        document: dict[str, Any] = {
            "xds_servers": [server.document() for server in self.servers],
            "node": self.node.document(),
        }
        if self.authorities:
            document["authorities"] = {
                name: {"xds_servers": [server.document() for server in servers]}
                for name, servers in self.authorities.items()
            }
        if self.certificate_providers:
            document["certificate_providers"] = {
                name: provider.document() for name, provider in self.certificate_providers.items()
            }
        if self.server_listener_template:
            document["server_listener_resource_name_template"] = self.server_listener_template
        if self.client_listener_template:
            document["client_default_listener_resource_name_template"] = self.client_listener_template
        return document


def _validate_template(template: str, authorities: Mapping[str, object]) -> None:
    if template.count("%s") != 1:
        raise SettingsError(f"the listener template {template!r} needs one %s, the place of the name")
    scheme = "xdstp://"
    # gRFC A47: the authority of an xdstp name is one of the bootstrap.
    if template.startswith(scheme):
        authority = template.removeprefix(scheme).partition("/")[0]
        if authority and authority not in authorities:
            raise SettingsError(
                f"the listener template {template!r} names authority {authority!r}, which the bootstrap lacks"
            )
