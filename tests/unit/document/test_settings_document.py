"""docs/settings.md describes all settings: names, defaults, texts, and a valid example."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from steerway import config
from steerway.config import document
from tests.support.settings_document import DOCUMENT, docstrings, rewritten

_ENTRY = re.compile(
    r"^### `([^`]+)`\n\n- Default: (.+)\n- Value: .+\n- Flag: `(--\S+)[^`]*`\n- Environment: `(STEERWAY_[^`]+)`\n\n\S",
    re.MULTILINE,
)

ENTRIES = {entry[0]: entry[1:] for entry in _ENTRY.findall(DOCUMENT.read_text("utf-8"))}


def test_the_document_is_up_to_date() -> None:
    """Run `make settings-doc` if this fails."""
    text = DOCUMENT.read_text("utf-8")
    assert rewritten(text) == text


def test_an_outdated_document_is_rewritten() -> None:
    """The test of the current document depends on it."""
    text = DOCUMENT.read_text("utf-8")
    assert rewritten(text.replace("### `files`", "### `file`")) == text


def test_every_setting_has_its_entry() -> None:
    """Once, and there are no other entries."""
    assert sorted(ENTRIES) == sorted(config.SETTINGS)


@pytest.mark.parametrize("name", config.SETTINGS)
def test_an_entry_has_the_names_and_the_default(name: str) -> None:
    """A default that is a rule is described in text."""
    default, flag, variable = ENTRIES[name]
    setting = config.SETTINGS[name]
    assert (flag, variable) == (setting.flag, setting.variable)
    value = setting.default
    if value in (None, (), ""):
        assert value is not None or name == "identifier" or type(None) in get_args(setting.base)
        assert default == setting.unset
    else:
        shown = (
            f"{value:g}"
            if isinstance(value, float)
            else ", ".join(value)
            if isinstance(value, tuple)
            else str(value)
        )
        assert default == f"`{shown.lower() if isinstance(value, bool) else shown}`"


def test_sections_have_a_description_of_one_line() -> None:
    """`steerway serve --help` shows it, without Markdown links."""
    assert len(config.SECTIONS) == 20
    for section in config.SECTIONS:
        assert section.description.endswith("."), section
        assert "[" not in section.description


def test_every_setting_has_a_text() -> None:
    """Below its declaration."""
    texts = {(section.title, field) for section in config.SECTIONS for field in docstrings(section.type)}
    assert texts == {(setting.section.title, setting.field) for setting in config.SETTINGS.values()}


def test_the_example_gives_every_setting(tmp_path: Path) -> None:
    """It is valid and complete."""
    example = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example is not None
    file = tmp_path / "steerway.yaml"
    file.write_text(example[1])
    config.load(file, {}, {})
    errors: list[str] = []
    assert sorted(document.read(file, errors)) == sorted(config.SETTINGS)
    assert errors == []


def test_every_key_of_k8s_xds_is_explained() -> None:
    """With the setting that it sets."""
    text = DOCUMENT.read_text()
    for alias, setting in document.ALIASES.items():
        assert re.search(rf"^\| `{re.escape(alias)}.*\| .*`{setting}", text, re.MULTILINE), alias


def test_items_of_lists_have_all_their_fields() -> None:
    """As do the settings themselves."""
    text = DOCUMENT.read_text("utf-8")
    structured = [setting for setting in config.SETTINGS.values() if setting.is_list_of_structs]
    assert [setting.name for setting in structured] == ["clusters", "authorization.rules"]
    for setting in structured:
        entry = text.partition(f"### `{setting.name}`\n")[2].partition("\n#")[0]
        fields = msgspec.structs.fields(get_args(setting.base)[0])
        assert [field.name for field in fields if f"\n- `{field.name}`: " not in entry] == []
