"""`steerway serve`: run the control plane with settings from a file, the environment and flags."""

import os
from pathlib import Path
from typing import Any

import click

from steerway import config
from steerway.cli import terminal
from steerway.errors import SettingsError


class _SettingOption(click.Option):
    """The flag of one setting."""

    def __init__(self, setting: config.Setting) -> None:
        flag, default = setting.flag, setting.default_value
        super().__init__(
            [
                f"{flag}/{flag.replace('--', '--no-', 1)}" if setting.base is bool else flag,
                setting.name.replace(".", "__"),
            ],
            metavar=setting.metavar,
            default=None,
            multiple=setting.repeatable,
            help=f"{setting.title}  [default: {setting.unset if default is None else default}]",
        )
        self.section = setting.section


class _Serve(click.Command):
    """Lists the flags by section."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # Wide terminals have room for the longest flags beside their help.
        flags_width = 46 if formatter.width > 100 else 30
        sections: dict[config.Section | None, list[tuple[str, str]]] = {None: []}
        for parameter in self.get_params(context):
            section = parameter.section if isinstance(parameter, _SettingOption) else None
            if record := parameter.get_help_record(context):
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section.title if section else "Options"):
                if section:
                    formatter.write_text(section.description)
                    formatter.write_paragraph()
                formatter.write_dl(records, col_max=flags_width)


@click.command(
    cls=_Serve,
    params=[_SettingOption(setting) for setting in config.SETTINGS.values()],
    context_settings={"max_content_width": 120},
)
@click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML file of settings (also STEERWAY_CONFIG); the environment overrides it, flags override both",
)
def serve(file: Path | None, **flags: Any) -> int:
    """Serve xDS from manifest files, from a Kubernetes API server, or from both.

    Set at least one of --files and --kubernetes. Every flag is also a key of the settings file and an
    environment variable STEERWAY_…

    SIGTERM drains: streams are closed over --drain-seconds. A second SIGTERM ends the process at once. SIGHUP
    reads all manifest files again.
    """
    from steerway.runtime import signals

    signals.ignore()
    settings = _load(file, {name.replace("__", "."): value for name, value in flags.items()})
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
