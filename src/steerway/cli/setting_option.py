"""Settings as flags of a command."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import click

from steerway import config


class SettingOption(click.Option):
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


class SettingsCommand(click.Command):
    """Lists the flags by section."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # Wide terminals have room for the longest flags beside their help.
        flags_width = 46 if formatter.width > 100 else 30
        sections: dict[config.Section | None, list[tuple[str, str]]] = {None: []}
        for parameter in self.get_params(context):
            section = parameter.section if isinstance(parameter, SettingOption) else None
            if record := parameter.get_help_record(context):
                sections.setdefault(section, []).append(record)
        for section, records in sections.items():
            with formatter.section(section.title if section else "Options"):
                if section:
                    formatter.write_text(section.description)
                    formatter.write_paragraph()
                formatter.write_dl(records, col_max=flags_width)


settings_file = click.option(
    "--config",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="YAML file of settings (also STEERWAY_CONFIG); the environment overrides it, flags override both",
)
"""The option of the settings file."""


def setting_options(command: str, others: Collection[str] = ()) -> list[click.Parameter]:
    """The flags of the settings of a command, and of `others` by name."""
    return [
        SettingOption(setting)
        for setting in config.SETTINGS.values()
        if command in setting.section.commands or setting.name in others
    ]


def by_name(flags: Mapping[str, Any]) -> dict[str, Any]:
    """Values of flags by the name of their setting."""
    return {name.replace("__", "."): value for name, value in flags.items()}
