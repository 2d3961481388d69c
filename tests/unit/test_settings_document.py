"""docs/settings.md says what the settings are: names, defaults, and an example that is accepted."""

import re
from pathlib import Path

import msgspec
import pytest

from steerway import config
from steerway.config import document

DOCUMENT = Path(__file__).parents[2] / "docs" / "settings.md"
_ROW = re.compile(r"^\| `([^`]+)` \| `(--[^`]+)` \| `(STEERWAY_[^`]+)` \| ([^|]+) \| [^|]+ \|$", re.MULTILINE)

ROWS = {row[0]: row[1:] for row in _ROW.findall(DOCUMENT.read_text())}


def test_every_setting_has_its_row() -> None:
    """Each one, and no other."""
    assert sorted(ROWS) == sorted(config.SETTINGS)


@pytest.mark.parametrize("name", config.SETTINGS)
def test_a_row_tells_the_names_and_the_default(name: str) -> None:
    """A default that is a rule rather than a value is told in words."""
    flag, variable, default = ROWS[name]
    assert (flag, variable) == (config.flag_name(name), config.environment_name(name))
    value = config.SETTINGS[name].default
    if value in (msgspec.NODEFAULT, None, (), ""):
        assert value is not msgspec.NODEFAULT or name == "identifier"
    else:
        shown = (
            f"{value:g}"
            if isinstance(value, float)
            else ", ".join(value)
            if isinstance(value, tuple)
            else str(value)
        )
        assert default == f"`{shown.lower() if isinstance(value, bool) else shown}`"


def test_the_example_gives_every_setting(tmp_path: Path) -> None:
    """It is accepted as it stands, and nothing is missing from it."""
    example = re.search(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert example is not None
    file = tmp_path / "steerway.yaml"
    file.write_text(example[1])
    config.load(file, {}, {})
    errors: list[str] = []
    assert sorted(document.read(file, errors)) == sorted(config.SETTINGS)
    assert errors == []


def test_every_key_of_k8s_xds_is_explained() -> None:
    """With the setting that it stands for."""
    text = DOCUMENT.read_text()
    for alias, setting in document.ALIASES.items():
        assert re.search(rf"^\| `{re.escape(alias)}.*\| .*`{setting}", text, re.MULTILINE), alias
