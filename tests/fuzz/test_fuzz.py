"""No input ends the process: the corpus, and a bounded run of mutations; `make fuzz` has long ones."""

from pathlib import Path

import pytest

from steerway.admin.api import resource
from steerway.catalog.service import service as build_service
from steerway.sources.files import manifest as manifests
from tests.fuzz import campaign, seeds
from tests.fuzz.system import InputError, System

INPUTS = {"files": 100, "objects": 150}


@pytest.mark.parametrize("target", campaign.TARGETS)
def test_every_input_of_the_corpus_is_handled(target: str, tmp_path: Path) -> None:
    """Each failed once, or is a seed for mutations: no page of the admin server and no stage fails now."""
    with System(tmp_path, seeds.base()) as system:
        for path in seeds.corpus(target):
            campaign.replay(system, target, path.name, path.read_bytes())


@pytest.mark.parametrize("target", campaign.TARGETS)
def test_mutated_inputs_are_handled(target: str, tmp_path: Path) -> None:
    """Always the same ones. A failing input is in the directory of the message; add it to the corpus."""
    path = tmp_path / "found"
    directory = tmp_path / "manifests"
    directory.mkdir()
    assert campaign.run(target, 1, campaign.inputs(INPUTS[target]), directory, path) == INPUTS[target]


def test_a_defect_fails_its_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also an isolated one, in any of the stages."""
    manifest = b"{apiVersion: v1, kind: Service, metadata: {name: a}, spec: {ports: [{port: 80}]}}"
    for module, name in ((build_service, "build"), (manifests, "validation_errors"), (resource, "listing")):
        with System(tmp_path, {}) as system:
            campaign.replay(system, "files", "a.yaml", manifest)
            monkeypatch.setattr(module, name, lambda *_: 1 // 0)
            with pytest.raises(InputError, match="ZeroDivisionError"):
                campaign.replay(system, "files", "a.yaml", manifest)
            monkeypatch.undo()
