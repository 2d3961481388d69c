"""Settings: what a person may change about steerway, read once at start.

`load` merges, in rising order of precedence, one YAML file, the environment (`STEERWAY_…`) and flags into one
frozen `Settings`. Every duration and size carries its unit in its name. A key that is unknown, given twice or
of the wrong type is an error that names its place; all errors are reported together.

Nothing here reads a setting at import time, watches the file for changes or knows what a setting is used for.
"""

from steerway.config.merge import load
from steerway.config.model import DebounceSettings, KubernetesSettings, LoadReportingSettings, Settings
from steerway.config.name import SETTINGS, environment_name, flag_name, metas
from steerway.config.rule import IdentityPattern, RuleSettings
from steerway.config.security import AuthenticationSettings, AuthorizationSettings, TlsSettings

__all__ = [
    "SETTINGS",
    "AuthenticationSettings",
    "AuthorizationSettings",
    "DebounceSettings",
    "IdentityPattern",
    "KubernetesSettings",
    "LoadReportingSettings",
    "RuleSettings",
    "Settings",
    "TlsSettings",
    "environment_name",
    "flag_name",
    "load",
    "metas",
]
