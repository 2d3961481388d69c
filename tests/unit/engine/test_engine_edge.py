"""What crosses the native engine's edge is declared once, and the declarations agree with the compiled engine."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, get_args

import pytest

from steerway import _engine, commit, text
from steerway.config import Settings
from steerway.engine.decision import Classification, Identification, Rejection
from steerway.engine.engine import Event
from steerway.engine.options import EngineOptions
from steerway.origin import Origin
from steerway.translate.xds.type_url import CLUSTER
from testbed.engine_options import engine_options

NOT_SETTINGS = {"tls", "node_metadata", "descriptors"}


class Probe:
    """Options that record which of them are read."""

    def __init__(self) -> None:
        self._options = engine_options()
        self.read: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.read.append(name)
        return getattr(self._options, name)


def test_the_engine_reads_each_declared_option_once() -> None:
    """And no other."""
    probe = Probe()
    _engine.Engine(probe)  # type: ignore[arg-type]
    assert len(probe.read) == 33
    assert sorted(probe.read) == sorted(option.name for option in fields(EngineOptions))


def test_every_option_is_a_setting_of_the_same_name_and_value() -> None:
    """Except those that the control plane computes."""
    settings = Settings()
    options = EngineOptions.from_settings(settings, tls=True, node_metadata=("key",))
    names = {option.name for option in fields(EngineOptions)} - NOT_SETTINGS
    assert len(names) == 30
    for name in names:
        assert getattr(options, name) == getattr(settings, name)
    assert (options.tls, options.node_metadata, bool(options.descriptors)) == (True, ("key",), True)


def test_an_option_of_another_type_is_named() -> None:
    """The error names the option."""
    with pytest.raises(TypeError, match="threads"):
        _engine.Engine(engine_options(threads="1"))


def test_the_stub_repeats_no_option() -> None:
    """`_engine.pyi` refers to `EngineOptions`."""
    stub = Path(_engine.__file__).with_name("_engine.pyi").read_text()
    parameters = [option.name for option in fields(EngineOptions) if f"{option.name}:" in stub]
    assert not parameters


ORIGIN = Origin(0.0, None)
ENTRIES: dict[str, tuple[NamedTuple, tuple[type, ...]]] = {
    "put": (
        commit.Put(CLUSTER, "a", "", b"", (), "", 0.0, ORIGIN),
        (str, str, str, bytes, tuple, str, float),
    ),
    "absent": (commit.Absent(CLUSTER, "b", "", "why"), (str,) * 4),
    "denied": (commit.Absent(CLUSTER, "c", "", "why"), (str,) * 4),
    "forget": (commit.Forgotten(CLUSTER, "d", ""), (str,) * 3),
    "complete": (commit.Complete(CLUSTER, ""), (str,) * 2),
    "missing": (commit.Missing(CLUSTER, "e", "", "why", "shop/e"), (str,) * 5),
}


def test_a_commit_has_the_lists_that_the_engine_takes() -> None:
    """By the same names."""
    assert list(ENTRIES) == [part.name for part in fields(commit.Commit)]
    signature = _engine.Engine.publish.__text_signature__
    assert signature is not None
    assert all(f"{name}=()" in signature for name in ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_the_engine_takes_entries_of_exactly_the_declared_fields(name: str) -> None:
    """One more or one less is refused, and so is a value of another type."""
    engine = _engine.Engine(engine_options())
    entry, types = ENTRIES[name]
    engine.publish(**{name: [entry]})
    for wrong in (entry[:-1], (*entry, "more")):
        with pytest.raises((TypeError, ValueError)):
            engine.publish(**{name: [wrong]})
    for index in range(len(types)):
        with pytest.raises(TypeError):
            engine.publish(**{name: [(*entry[:index], object(), *entry[index + 1 :])]})


@pytest.mark.parametrize(
    ("call", "row"),
    [
        ("identify", Identification(1, "shop")),
        ("classify", Classification(1, "test", None)),
        ("reject", Rejection(1, 7, "no")),
    ],
)
def test_the_engine_takes_decisions_of_exactly_the_declared_fields(call: str, row: NamedTuple) -> None:
    """One more or one less is refused."""
    decide: Callable[[list[Any]], None] = getattr(_engine.Engine(engine_options()), call)
    decide([row])
    for wrong in (row[:-1], (*row, "more")):
        with pytest.raises((TypeError, ValueError)):
            decide([wrong])


def test_every_event_class_of_the_engine_is_an_event() -> None:
    """Those with a member that only views have are none."""
    views = {
        "Absence",
        "Absences",
        "Absent",
        "Change",
        "DroppedLoad",
        "Edge",
        "Engine",
        "EngineUsage",
        "Entry",
        "Group",
        "LabelEdges",
        "Loads",
        "LocalityLoad",
        "Propagation",
        "Resource",
        "Stats",
        "Stream",
        "Subscription",
    }
    classes = {name for name, value in vars(_engine).items() if isinstance(value, type)}
    assert classes - views == {event.__name__ for event in get_args(Event)}
    assert len(get_args(Event)) == 9


def test_texts_are_cut_to_one_length() -> None:
    """By the engine and by Python."""
    assert text.MAX_TEXT == _engine.MAX_TEXT == 512
