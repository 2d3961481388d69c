"""The state file: what survives a restart, and that no fault of it stops a start."""

import os
from pathlib import Path

import pytest

from steerway.sources.files import load, state
from steerway.sources.files.history import LastGood
from steerway.sources.files.state import State
from steerway.sources.objects.core import Object, ObjectKey

ROOT, PATH = Path("/m"), Path("/m/a.yaml")
MANIFESTS = """\
apiVersion: v1
kind: Service
metadata: {name: web, labels: {a: b}, annotations: {steerway.io/private: "true"}, uid: u}
spec: {ports: [{port: 1, name: grpc, appProtocol: grpc}], clusterIP: None}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: web-1, labels: {kubernetes.io/service-name: web}}
addressType: IPv4
ports: [{port: 1, name: grpc}]
endpoints: [{addresses: [10.0.0.1], conditions: {ready: false, serving: true}, hints: {forZones: [{name: a}]}}]
---
apiVersion: v1
kind: Namespace
metadata: {name: shop, labels: {a: b}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: r}
spec:
  parentRefs: [{kind: Service, group: "", name: web, port: 1}]
  rules:
  - matches: [{headers: [{name: h, value: v, type: RegularExpression}], path: {value: /a}}]
    timeouts: {request: 1s}
    retry: {codes: [503], attempts: 2, backoff: 100ms}
    backendRefs: [{name: web, port: 1, weight: 3}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: g}
spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: n}], to: [{group: "", kind: Service}]}
---
apiVersion: steerway.io/v1alpha1
kind: TrafficPolicy
metadata: {name: p}
spec: {targetRefs: [{group: "", kind: Service, name: web}], retry: {attempts: 2, codes: [Unavailable]}}
---
"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster
name: raw
connect_timeout: 1.5s
typed: {list: [1, 2.5, null, true, "x"]}
"""


@pytest.fixture
def objects(tmp_path: Path) -> tuple[Object, ...]:
    file = tmp_path / "objects.yaml"
    file.write_text(MANIFESTS)
    loaded = load([file], "shop")
    assert not loaded.problems
    assert len(loaded.objects) == 7
    return loaded.objects


def last_good(objects: tuple[Object, ...]) -> dict[Path, LastGood]:
    return {PATH: LastGood(ROOT, {obj.key: (obj,) for obj in objects})}


def test_objects_of_every_kind_are_read_as_they_were_written(
    tmp_path: Path, objects: tuple[Object, ...]
) -> None:
    """By file and subject, in a file with mode 0600."""
    retained = State(tmp_path / "new" / "state", 60)
    retained.save(last_good(objects), ())
    assert retained.problem is None
    assert retained.path.stat().st_mode & 0o777 == 0o600
    again = State(tmp_path / "new" / "state", 60)
    assert again.load([ROOT]) == last_good(objects)
    assert again.problem is None
    assert [path.name for path in retained.path.parent.iterdir()] == [retained.path.name]


def test_objects_age_while_their_file_cannot_be_read(tmp_path: Path, objects: tuple[Object, ...]) -> None:
    """Across restarts, until the maximum age."""
    now = [1000.0]
    for age in (0, 40, 80):
        now[0] = 1000.0 + age
        current = State(tmp_path, 100, lambda: now[0])
        assert bool(current.load([ROOT])) == (age > 0)
        current.save(last_good(objects), [PATH] if age else ())
    assert current._age() == 80
    (problem,) = current.note([PATH])
    assert "1970-01-01T00:16:40Z" in problem.reason
    now[0] = 1101.0
    late = State(tmp_path, 100, lambda: now[0])
    assert late.load([ROOT]) == {}
    assert late.problem is not None
    assert "older than" in late.problem.reason


def test_a_file_that_can_be_read_again_is_not_restored_any_more(
    tmp_path: Path, objects: tuple[Object, ...]
) -> None:
    """Its age is reset, too."""
    State(tmp_path, 60).save(last_good(objects), ())
    current = State(tmp_path, 60)
    current.load([ROOT])
    assert current.note([PATH])
    assert current.note([]) == []
    assert current.note([PATH]) == []
    assert current._age() == 0


def test_objects_of_paths_outside_the_settings_are_not_restored(
    tmp_path: Path, objects: tuple[Object, ...]
) -> None:
    State(tmp_path, 60).save(last_good(objects), ())
    assert State(tmp_path, 60).load([Path("/other")]) == {}


@pytest.mark.parametrize("cut", [0, 1, 20, 200, -1, -20, -40])
def test_a_damaged_state_is_a_problem_and_ignored(
    tmp_path: Path, objects: tuple[Object, ...], cut: int
) -> None:
    """Truncated, or with a changed byte."""
    written = State(tmp_path, 60)
    written.save(last_good(objects), ())
    content = written.path.read_bytes()
    for damaged in (content[:cut], content[:cut] + bytes([content[cut] ^ 1]) + content[cut:][1:]):
        written.path.write_bytes(damaged)
        current = State(tmp_path, 60)
        assert (current.load([ROOT]) == {}) == (current.problem is not None)
        assert current.problem is not None or damaged.rstrip() == content.rstrip()


def test_a_state_that_is_no_file_does_not_stop_a_start(tmp_path: Path, objects: tuple[Object, ...]) -> None:
    """Reading a named pipe would block; the next change replaces it."""
    current = State(tmp_path, 60)
    os.mkfifo(current.path)
    assert current.load([ROOT]) == {}
    assert current.problem is not None
    current.save(last_good(objects), ())
    assert State(tmp_path, 60).load([ROOT]) != {}


def test_a_state_is_bounded(
    tmp_path: Path, objects: tuple[Object, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A larger one is neither written nor read; the file written before stays."""
    current = State(tmp_path, 60)
    current.save(last_good(objects), ())
    monkeypatch.setattr(state, "MAX_STATE_BYTES", 100)
    before = current.path.read_bytes()
    current.save(last_good(objects), ())
    assert current.problem is not None
    assert current.path.read_bytes() == before
    assert State(tmp_path, 60).load([ROOT]) == {}


def test_a_directory_that_cannot_be_written_is_a_problem(tmp_path: Path, objects: tuple[Object, ...]) -> None:
    """Nothing is raised; the problem clears when the directory is writable again."""
    (tmp_path / "state").write_text("a file")
    current = State(tmp_path / "state", 60)
    current.save(last_good(objects), ())
    assert current.problem is not None
    (tmp_path / "state").unlink()
    current.save(last_good(objects), ())
    assert current.problem is None


def test_a_value_without_a_json_form_is_skipped(tmp_path: Path, objects: tuple[Object, ...]) -> None:
    """Other objects are kept."""
    bad = ObjectKey("Service", "shop", "\ud800")
    files = last_good(objects)
    files[PATH].subjects[bad] = objects[:1]
    current = State(tmp_path, 60)
    current.save(files, ())
    assert current.problem is None
    assert bad not in State(tmp_path, 60).load([ROOT])[PATH].subjects
