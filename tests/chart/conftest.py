"""The chart as Helm renders it: each rendering is a list of manifests."""

import functools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml

from testbed.helm.tools import Tools, build
from testbed.manifest import Manifest
from tests.support.chart.kustomize_base import CHART, NAMESPACE
from tests.support.progress import past_capture

NEEDS_HELM = [pytest.mark.needs("go"), pytest.mark.timeout(300, func_only=True)]
"""The marks of every module of tests here. The first test waits until Helm is built, which takes minutes once."""


class Rendering(list[Manifest]):
    """The manifests of one run of `helm template`."""

    def kinds(self) -> set[str]:
        """The kinds that occur."""
        return {manifest["kind"] for manifest in self}

    def of(self, kind: str, name: str = "steerway") -> Manifest:
        """The one object of this kind and name."""
        (match,) = (item for item in self if item["kind"] == kind and item["metadata"]["name"] == name)
        return match

    def pod(self) -> dict[str, Any]:
        """The spec of the Deployment's pods."""
        spec: dict[str, Any] = self.of("Deployment")["spec"]["template"]["spec"]
        return spec

    def container(self) -> dict[str, Any]:
        """The container of steerway."""
        (container,) = self.pod()["containers"]
        return dict(container)

    def settings(self) -> str:
        """The settings file that the pods read."""
        return str(self.of("ConfigMap")["data"]["steerway.yaml"])

    def rules(self) -> set[tuple[str, str, str, str]]:
        """What steerway may do: kind of role, group, resource, verb."""
        bound = {
            item["roleRef"]["name"] for item in self if item["kind"] in ("RoleBinding", "ClusterRoleBinding")
        }
        return {
            (manifest["kind"], group, resource, verb)
            for manifest in self
            if manifest["kind"] in ("Role", "ClusterRole") and manifest["metadata"]["name"] in bound
            for rule in manifest["rules"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }


Render = Callable[..., Rendering]


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Helm and kustomize."""
    return Tools(build(past_capture(request.config)), tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def render(tools: Tools) -> Render:
    """Renders the chart: `render("tls", {"replicas": 3})` with values-tls.yaml and further values."""

    @functools.cache
    def run(files: str, values: str, release: str) -> str:
        options = [f"--values={CHART / f'values-{file}.yaml'}" for file in files.split()]
        options += ["--values=-", f"--namespace={NAMESPACE}"]
        return tools.run("helm", "template", release, str(CHART), *options, stdin=values)

    def parsed(files: str = "", values: Manifest | None = None, release: str = "steerway") -> Rendering:
        return Rendering(manifests(run(files, json.dumps(values or {}), release)))

    return parsed


def manifests(text: str) -> Iterator[Manifest]:
    """The documents of a YAML stream that are not empty. With libyaml: most of the text is one large definition."""
    return (document for document in yaml.load_all(text, yaml.CSafeLoader) if document)
