"""A mesh of manifests, and the difference that others make."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from steerway.config import Settings
from steerway.control.wiring import make_catalog, translator_of
from steerway.diff import overlay
from steerway.diff.client import Stream
from steerway.diff.difference import Question, difference
from steerway.diff.state import Mesh
from steerway.sources.files import load
from steerway.sources.objects.core import Object

NOW = "2026-01-02T00:00:00Z"
Compare = Callable[..., dict[str, Any]]
SHOP = """
apiVersion: v1
kind: Service
metadata: {name: backend, namespace: shop, uid: 1b}
spec: {ports: [{port: 50051, name: grpc}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: backend-1, namespace: shop, labels: {kubernetes.io/service-name: backend}}
addressType: IPv4
ports: [{name: grpc, port: 50051}]
endpoints:
- {addresses: [10.0.0.1], zone: eu-1a}
- {addresses: [10.0.0.2], zone: eu-1b}
---
apiVersion: v1
kind: Service
metadata: {name: v2, namespace: shop, uid: 2b}
spec: {ports: [{port: 50051, name: grpc}]}
"""


@pytest.fixture
def objects(tmp_path: Path) -> Callable[[str], list[Object]]:
    """Objects of YAML text."""

    def read(text: str) -> list[Object]:
        file = tmp_path / "manifests.yaml"
        file.write_text(text)
        result = load([file], "default")
        assert not result.problems
        return [*result.objects]

    return read


@pytest.fixture
def compare(objects: Callable[[str], list[Object]]) -> Compare:
    """The difference that manifests make to live ones."""

    def run(
        manifests: str,
        live: str = SHOP,
        streams: Sequence[Stream] | None = None,
        prune: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        given = Settings(**settings)
        known = {obj.key: obj for obj in objects(live)}
        changes = overlay.changes(known, objects(manifests), {}, NOW, prune=prune)
        mesh = Mesh.of(known.values(), make_catalog(given), partial(translator_of, given))
        return difference(mesh, Question(changes, streams, given.cluster_domain))

    return run
