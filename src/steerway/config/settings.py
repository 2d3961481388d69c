"""All settings: the sections in the order of help and documentation, and the object that holds the values.

The annotations of a section are its validation (see `setting.py`). `steerway.config.load` applies them; constructing
`Settings` directly, as tests do, does not validate.

A key without a prefix in the file (`max_streams`) is an attribute of `Settings`; one with a prefix
(`kubernetes.context`) is an attribute of an attribute.
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from steerway.config.section.debounce import DebounceSettings
from steerway.config.section.diagnostic import JournalSettings, LogSettings, TracingSettings
from steerway.config.section.envoy import EnvoySettings
from steerway.config.section.file import FileSettings
from steerway.config.section.http import HttpSettings
from steerway.config.section.injection import InjectionSettings
from steerway.config.section.kubernetes import KubernetesSettings
from steerway.config.section.limit import LimitSettings
from steerway.config.section.load_reporting import LoadReportingSettings
from steerway.config.section.remote import RemoteSettings
from steerway.config.section.security.authentication import AuthenticationSettings
from steerway.config.section.security.authorization import AuthorizationSettings
from steerway.config.section.security.identity import IdentitySettings
from steerway.config.section.security.signer import SignerSettings
from steerway.config.section.security.tls import TlsSettings
from steerway.config.section.security.xds_servers import XdsServerSettings
from steerway.config.section.server import ServerSettings
from steerway.config.section.service import ServiceSettings


class Section(NamedTuple):
    """A group of settings. The first line of the docstring of `type` is its description."""

    title: str
    type: Any
    prefix: str = ""
    """The key in the file that holds its settings; "": they are keys of the file."""
    commands: tuple[str, ...] = ("serve",)
    """The commands that have its flags."""

    @property
    def description(self) -> str:
        """One line for `--help`."""
        return str(self.type.__doc__).partition("\n")[0]


_BOTH = ("serve", "signer")
SECTIONS = (
    Section("Files", FileSettings),
    Section("Kubernetes", KubernetesSettings, "kubernetes"),
    Section("Remote clusters", RemoteSettings),
    Section("Services", ServiceSettings),
    Section("xDS server", ServerSettings),
    Section("Limits", LimitSettings),
    Section("TLS", TlsSettings, "tls"),
    Section("Authentication", AuthenticationSettings, "authentication"),
    Section("Authorization", AuthorizationSettings, "authorization"),
    Section("HTTP listeners", HttpSettings),
    Section("Injection", InjectionSettings, "injection"),
    Section("Workload identities", IdentitySettings, "identity", _BOTH),
    Section("Signer", SignerSettings, "signer", ("signer",)),
    Section("gRPC servers", XdsServerSettings, "xds_servers"),
    Section("Envoy", EnvoySettings, "envoy"),
    Section("Debounce", DebounceSettings, "debounce"),
    Section("Load reports", LoadReportingSettings, "load_reporting"),
    Section("Journal", JournalSettings, "journal"),
    Section("Traces", TracingSettings, "tracing"),
    Section("Log", LogSettings, commands=_BOTH),
)


@dataclass(frozen=True, kw_only=True)
class Settings(
    FileSettings,
    RemoteSettings,
    ServiceSettings,
    ServerSettings,
    LimitSettings,
    HttpSettings,
    LogSettings,
):
    """All settings of `steerway serve` and `steerway signer`."""

    kubernetes: KubernetesSettings = field(default_factory=KubernetesSettings)
    tls: TlsSettings = field(default_factory=TlsSettings)
    authentication: AuthenticationSettings = field(default_factory=AuthenticationSettings)
    authorization: AuthorizationSettings = field(default_factory=AuthorizationSettings)
    injection: InjectionSettings = field(default_factory=InjectionSettings)
    identity: IdentitySettings = field(default_factory=IdentitySettings)
    signer: SignerSettings = field(default_factory=SignerSettings)
    xds_servers: XdsServerSettings = field(default_factory=XdsServerSettings)
    envoy: EnvoySettings = field(default_factory=EnvoySettings)
    debounce: DebounceSettings = field(default_factory=DebounceSettings)
    load_reporting: LoadReportingSettings = field(default_factory=LoadReportingSettings)
    journal: JournalSettings = field(default_factory=JournalSettings)
    tracing: TracingSettings = field(default_factory=TracingSettings)
