"""The environment of k8s-xds: its variable of the settings file, and where it looks without one."""

from collections.abc import Mapping
from pathlib import Path

from steerway.config.merge import CONFIG_VARIABLE

_VARIABLE = "CONFIG"
_DEFAULT = Path("/var/run/config/app.yaml")


def settings_file(environ: Mapping[str, str], default: Path = _DEFAULT) -> Path | None:
    """The `app.yaml` that k8s-xds would read; None where there is none, or steerway's own variable names a file.

    A file that `CONFIG` names need not exist: `load` reports it.
    """
    if environ.get(CONFIG_VARIABLE):
        return None
    if named := environ.get(_VARIABLE):
        return Path(named)
    return default if default.is_file() else None
