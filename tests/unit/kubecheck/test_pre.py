"""What is checked before an installation."""

from typing import Any

from steerway.kubecheck.context import Context
from steerway.kubecheck.reader import Reader
from steerway.kubecheck.result import Level
from steerway.kubecheck.section import pre
from tests.unit.kubecheck.api import Api


async def test_another_release_in_the_same_namespace_is_another_installation() -> None:
    """That of the release itself is none."""
    item = {"metadata": {"namespace": "mesh", "name": "steerway"}}
    client: Any = Api({"/apis/apps/v1/deployments/0": item})
    for release, level in (("steerway", Level.OK), ("other", Level.WARNING)):
        (result,) = await pre.others(Context(Reader(client), "mesh", release))
        assert result.level is level
    assert result.text == "there are other installations: mesh/steerway"
