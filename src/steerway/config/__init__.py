"""Settings of steerway, read once at start.

`load` merges, in rising order of precedence, one YAML file, the environment (`STEERWAY_…`) and flags into one
frozen `Settings`. Names of durations and sizes end with their unit. An unknown or repeated key and a value of the wrong
type are errors that name their location; all errors are reported together.

Declarations are in `section/`, one module per section. Flags, environment variables, `steerway serve --help` and
`docs/settings.md` are derived from them. To add a setting, declare it with its text in a section, add it to the example
in `docs/settings.md`, and run `make settings-doc`.

This package neither reads settings at import time, nor watches the file for changes, nor uses a setting.
"""

from steerway.config.k8s_xds import settings_file as k8s_xds_file
from steerway.config.merge import load
from steerway.config.section.debounce import DebounceSettings
from steerway.config.section.http import HttpSettings
from steerway.config.section.kubernetes import KubernetesSettings
from steerway.config.section.load_reporting import LoadReportingSettings
from steerway.config.section.remote import ClusterSettings
from steerway.config.section.security.authentication import AuthenticationSettings
from steerway.config.section.security.authorization import (
    AuthorizationSettings,
    IdentityPattern,
    RuleSettings,
)
from steerway.config.section.security.tls import TlsSettings
from steerway.config.setting import SETTINGS, Setting
from steerway.config.settings import SECTIONS, Section, Settings

__all__ = [
    "SECTIONS",
    "SETTINGS",
    "AuthenticationSettings",
    "AuthorizationSettings",
    "ClusterSettings",
    "DebounceSettings",
    "HttpSettings",
    "IdentityPattern",
    "KubernetesSettings",
    "LoadReportingSettings",
    "RuleSettings",
    "Section",
    "Setting",
    "Settings",
    "TlsSettings",
    "k8s_xds_file",
    "load",
]
