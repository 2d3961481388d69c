"""The commands in the runbook and in the guide about missing traffic are commands with these options."""

import re
import shlex
from pathlib import Path

import click
import pytest

from steerway.cli import cli
from testbed import markdown

DOCS = Path(__file__).parents[3] / "docs"
PAGES = ("runbook.md", "guides/no-traffic.md")


def commands() -> list[str]:
    """Those in prose, and those of the blocks of the guide."""
    prose = {
        text for page in PAGES for text in re.findall(r"`(steerway [^`\n]+)`", (DOCS / page).read_text())
    }
    return sorted(prose | {block.text.strip() for block in markdown.blocks(DOCS / PAGES[1], "sh")})


def test_the_pages_have_commands() -> None:
    assert len(commands()) > 15


@pytest.mark.parametrize("command", commands())
def test_a_command_of_the_pages_exists(command: str) -> None:
    """With all its options, whatever their values."""
    _, name, *arguments = shlex.split(command)
    entry = cli.get_command(click.Context(cli), name)
    assert entry is not None, command
    if isinstance(entry, click.Group):
        entry = entry.get_command(click.Context(entry), arguments[0])
        assert entry is not None, command
    known = {flag for parameter in entry.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    assert {argument for argument in own if argument.startswith("-")} <= known, command
