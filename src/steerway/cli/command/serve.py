"""`steerway serve`: run the control plane with settings from a file, the environment and flags."""

import os
from pathlib import Path
from typing import Any

import click

from steerway import config
from steerway.cli import terminal
from steerway.cli.setting_option import SettingsCommand, by_name, setting_options, settings_file
from steerway.errors import SettingsError


@click.command(
    cls=SettingsCommand,
    params=setting_options("serve"),
    context_settings={"max_content_width": 120},
)
@settings_file
def serve(file: Path | None, **flags: Any) -> int:
    """Serve xDS from manifest files, from a Kubernetes API server, or from both.

    Set at least one of --files and --kubernetes. Every flag is also a key of the settings file and an
    environment variable STEERWAY_…

    SIGTERM drains: streams are closed over --drain-seconds. A second SIGTERM ends the process at once. SIGHUP
    reads all manifest files again.
    """
    from steerway.runtime import signals

    signals.ignore()
    settings = _load(file, by_name(flags))
    from steerway.runtime import garbage

    # The collector would visit the code of all modules several times while they are imported.
    with garbage.load(garbage.BULK_OBJECTS):
        from steerway import app
        from steerway.log import setup

    setup.configure(settings.log_format, settings.log_level)
    return app.run(settings, terminal.write)


def _load(file: Path | None, flags: dict[str, Any]) -> config.Settings:
    """The settings, with at least one source. Raises SettingsError.

    Where no source is set, the environment may be that of k8s-xds, which reads Kubernetes and needs no flag for it.
    """
    settings = config.load(file, os.environ, flags)
    if settings.files or settings.kubernetes.enabled:
        return settings
    inherited = config.k8s_xds_file(os.environ) if file is None else None
    if inherited is None or flags["kubernetes.enabled"] is False:
        raise SettingsError(
            "no source of Services: set --files DIR (manifests) or --kubernetes (an API server), or both"
        )
    terminal.note(f"no source of Services is set: as k8s-xds with {inherited}, they are read from Kubernetes")
    return config.load(inherited, os.environ, flags | {"kubernetes.enabled": True})
