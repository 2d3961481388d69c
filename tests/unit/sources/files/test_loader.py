"""Reading paths once: kinds of documents, order, duplicates, and all sorts of invalid input."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from steerway.runtime.isolation import HINT
from steerway.sources.files import LoadResult, load, loader, manifest, mapping
from steerway.sources.files.scan import scan
from steerway.sources.objects.core import EndpointSlice, Service, XdsResource

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: %s}\nspec: {ports: [{port: 80}]}\n"


def load_one(tmp_path: Path, name: str, content: str | bytes) -> LoadResult:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return load([path], "own")


def lines(result: LoadResult, tmp_path: Path) -> list[str]:
    return [str(problem).replace(f"{tmp_path}/", "") for problem in result.problems]


def test_documents_are_classified_by_their_content(tmp_path: Path) -> None:
    """One file may hold Kubernetes objects, raw resources and a mapping."""
    cluster = "'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\nname: c\n"
    mapping = "mapping: {short: {z: [{ip: 10.0.0.1, port: 1}]}}\n"
    result = load_one(tmp_path, "all.yaml", "---\n".join([SERVICE % "a", cluster, mapping]))
    assert [type(obj) for obj in result.objects] == [Service, XdsResource, Service, EndpointSlice]
    assert [entry.name for entry in result.documents] == ["own/a", "c", "own/short"]
    assert result.problems == ()


def test_a_top_level_list_holds_objects_and_resources(tmp_path: Path) -> None:
    """Each item is classified by itself."""
    text = (
        '[{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": "c"},\n'
        ' {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}},\n {"x": 1}]'
    )
    result = load_one(tmp_path, "list.json", text)
    assert [entry.ok for entry in result.documents] == [True, True, False]
    assert result.problems[0].where.endswith("list.json:3")


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("kustomization.yaml", "resources:\n- svc.yaml\n", "kustomization"),
        ("kustomization.yml", "namespace: shop\nresources: [../base]\n", "kustomization"),
        ("Kustomization", "patches: [{path: patch.yaml}]\n", "kustomization"),
        ("kustomization.yaml", "kind: Component\nresources: []\n", "kustomization"),
        ("Chart.yaml", "apiVersion: v2\nname: shop\nversion: 1.0.0\n", "Helm chart"),
        ("values.yaml", "image: {tag: latest}\n", "Helm values"),
        ("values.yaml", "kind: DaemonSet\nmapping: {a: 1}\n", "Helm values"),
        ("values-prod.yaml", "resources: []\n", "Helm values"),
        ("values.prod.yml", "- x\n", "Helm values"),
        ("values.schema.json", '{"type": "object"}', "Helm values"),
        ("values.yaml", "a: {{ .Values.a }}\n", "Helm values"),
        ("patch.yaml", "- op: replace\n  path: /spec/ports/0/port\n  value: 1\n", "JSON patch"),
        ("patch.json", '[{"op": "remove", "path": "/spec"}]', "JSON patch"),
        ("templates/service.yaml", SERVICE % "{{ .Values.name }}", "Helm template"),
        ("templates/sub/service.yaml", SERVICE % '"{{ .Values.name }}"', "Helm template"),
    ],
)
@pytest.mark.parametrize("directly", [True, False])
def test_files_of_kustomize_and_helm_are_not_read(
    tmp_path: Path, name: str, text: str, kind: str, directly: bool
) -> None:
    """A directory may hold them beside manifests; each ignored file is an entry."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    result = load([path if (directly and path.parent.name != "sub") or not path.suffix else tmp_path], "own")
    assert [(entry.kind, entry.ignored) for entry in result.documents] == [(kind, True)]


@pytest.mark.parametrize("name", ["values-api.yaml", "kustomization.yaml", "templates/api.yaml"])
def test_a_document_with_its_type_is_read_from_any_file(tmp_path: Path, name: str) -> None:
    """Whatever the file's name is."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    cluster = "'@type': type.googleapis.com/envoy.config.cluster.v3.Cluster\nname: c\n"
    (tmp_path / name).write_text("---\n".join([SERVICE % "api", cluster]))
    assert [obj.key.name for obj in load([tmp_path], "own").objects] == ["api", "c"]


def test_a_list_of_strings_is_no_resource(tmp_path: Path) -> None:
    """In a file of any other name it is one problem for the document, not one for each item."""
    result = load_one(tmp_path, "x.yaml", "resources: [a.yaml, b.yaml]\n")
    assert [problem.reason for problem in result.problems] == [
        "neither a Kubernetes object, nor an xDS resource, nor a mapping (its keys: resources)"
    ]


def test_a_template_elsewhere_is_a_problem_with_a_hint_for_templates(tmp_path: Path) -> None:
    """It may be there by mistake; its last objects are kept."""
    result = load_one(tmp_path, "x.yaml", SERVICE % "{{ .Values.name }}")
    assert "helm template" in str(result.problems[0])


def test_mapping_yaml_is_a_mapping_by_its_name(tmp_path: Path) -> None:
    """It may also hold documents with a type."""
    result = load_one(tmp_path, "mapping.yaml", "web: {z: [{ip: 10.0.0.1, port: 1}]}\n---\n" + SERVICE % "a")
    assert [entry.kind for entry in result.documents] == ["mapping", "Service"]


def test_a_duplicate_names_both_locations_and_the_first_is_used(tmp_path: Path) -> None:
    """Within a file and across files, in the order of names."""
    (tmp_path / "a.yaml").write_text(SERVICE % "x")
    (tmp_path / "b.yaml").write_text(SERVICE % "y" + "---\n" + SERVICE % "x" + "---\n" + SERVICE % "y")
    result = load([tmp_path], "own")
    assert [obj.key.name for obj in result.objects] == ["x", "y"]
    assert lines(result, tmp_path) == [
        "b.yaml:6: Service own/x is defined at a.yaml:1 already, which is used (remove one of them)",
        "b.yaml:11: Service own/y is defined at b.yaml:1 already, which is used (remove one of them)",
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a: [1\n", "bad.yaml:1: not valid YAML"),
        (b"a: 1\nb: \xff\xfe\n", "bad.yaml:2: not UTF-8 text"),
        (SERVICE.encode("utf-16"), "bad.yaml:1: not UTF-8 text"),
        ("7\n", "bad.yaml:1: neither a Kubernetes object, nor an xDS resource, nor a mapping"),
        ("[]\n", "bad.yaml:1: neither a Kubernetes object"),
        ("replicas: 3\nimage: x\n", "(its keys: replicas, image)"),
    ],
)
def test_invalid_input_is_reported_by_file_and_line(
    tmp_path: Path, content: str | bytes, expected: str
) -> None:
    """Each error is one problem with a hint."""
    result = load_one(tmp_path, "bad.yaml", content)
    assert len(result.problems) == 1
    assert expected in lines(result, tmp_path)[0]
    assert result.problems[0].hint
    assert result.objects == ()


def test_the_rest_of_a_file_and_of_a_directory_is_served(tmp_path: Path) -> None:
    """An invalid document affects itself only."""
    (tmp_path / "a.yaml").write_text("x: {\n---\n" + SERVICE % "a" + "---\nkind: [\n")
    (tmp_path / "b.yaml").write_text(SERVICE % "b")
    result = load([tmp_path, tmp_path / "missing"], "own")
    assert [obj.key.name for obj in result.objects] == ["a", "b"]
    assert len(result.problems) == 3
    assert [entry.kind for entry in result.documents] == ["file", "", "Service", "", "Service"]


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    """Windows editors write one."""
    assert len(load_one(tmp_path, "a.yaml", (SERVICE % "a").encode("utf-8-sig")).objects) == 1


def test_a_huge_file_is_refused_without_being_read(tmp_path: Path) -> None:
    """A sparse file of 50 MB is one problem, without delay."""
    path = tmp_path / "huge.yaml"
    with path.open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    result = load([path], "own")
    assert "the file has 50 MiB; at most 16 MiB are read" in result.problems[0].reason


def test_an_unreadable_file_is_a_problem(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others are still read. (Permissions do not bind root, so the read itself fails here.)"""
    (tmp_path / "a.yaml").write_text(SERVICE % "a")
    (tmp_path / "b.yaml").write_text(SERVICE % "b")
    real = loader._open_without_waiting

    def refuse(path: Path) -> int:
        if path.name == "a.yaml":
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(loader, "_open_without_waiting", refuse)
    result = load([tmp_path], "own")
    assert lines(result, tmp_path) == [
        "a.yaml: cannot be read: Permission denied (check that the path exists and may be read)"
    ]
    assert [obj.key.name for obj in result.objects] == ["b"]


def test_a_path_that_stopped_being_a_file_after_the_scan_does_not_block(tmp_path: Path) -> None:
    """A named pipe has no writer, a device no end, and a file may have grown."""
    (tmp_path / "a.yaml").write_text(SERVICE % "a")
    (file,) = scan((tmp_path,)).files
    file.path.unlink()
    os.mkfifo(file.path)
    with pytest.raises(OSError, match="not a regular file"):
        loader.read_bytes(file)
    file.path.unlink()
    file.path.symlink_to("/dev/zero")
    with pytest.raises(OSError, match="not a regular file"):
        loader.read_bytes(file)
    file.path.unlink()
    with file.path.open("wb") as grown:
        grown.truncate(loader.MAX_FILE_BYTES + 1)
    with pytest.raises(OSError, match="holds more than 16 MiB"):
        loader.read_bytes(file)


ESCAPES = "\x1b[31m\u202e\x07" + "x" * 100_000


@pytest.mark.parametrize(
    "value",
    [
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": ESCAPES, "namespace": ESCAPES}},
        {"apiVersion": "v1", "kind": ESCAPES, "metadata": {"name": ESCAPES}},
        {"apiVersion": "v1", "kind": "List", "items": [{"kind": ESCAPES}]},
        {"@type": f"type.googleapis.com/envoy.{ESCAPES}", "name": "a"},
        {"@type": f"type.googleapis.com/envoy.config.v3.{ESCAPES}", "name": ESCAPES},
        {ESCAPES: 1},
        {"mapping": {ESCAPES: {ESCAPES: [{ESCAPES: 1}]}}},
        [{ESCAPES: 1}],
    ],
)
def test_quoted_parts_of_a_file_are_short_and_escaped(tmp_path: Path, value: Any) -> None:
    """Names, kinds, types and keys that are long or hold escape sequences: no raw part of a file reaches a terminal."""
    result = load_one(tmp_path, "\x1b\n.json", json.dumps(value))
    (entry,) = result.documents
    texts = [entry.where, entry.kind, entry.name]
    texts += [entry.problem.where, entry.problem.reason, entry.problem.hint] if entry.problem else []
    assert all(text.isprintable() for text in texts), texts
    assert max(map(len, texts)) < 5000


def test_a_service_of_5000_endpoints_is_read(tmp_path: Path) -> None:
    """As 50 slices of 100, as the API server writes it."""
    slices = "".join(
        f"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {{name: big-{n}}}\n"
        "addressType: IPv4\nendpoints:\n"
        + "".join(f"- addresses: [10.{n}.{i // 250}.{i % 250}]\n  zone: a\n" for i in range(100))
        for n in range(50)
    )
    result = load_one(tmp_path, "big.yaml", SERVICE % "big" + slices)
    objects = [obj for obj in result.objects if isinstance(obj, EndpointSlice)]
    assert sum(len(slice_.endpoints or []) for slice_ in objects) == 5000
    assert result.problems == ()


def test_an_unexpected_error_affects_one_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a List, a mapping and several documents: others are read, and the problem has file and line."""
    real = manifest.validation_errors

    def validation_errors(obj: Any) -> Any:
        return 1 // 0 if obj.metadata.name == "bad" else real(obj)

    monkeypatch.setattr(manifest, "validation_errors", validation_errors)
    monkeypatch.setattr(mapping, "port_error", lambda *_: 1 // 0)
    service = {"apiVersion": "v1", "kind": "Service", "spec": {"ports": [{"port": 80}]}}
    items = [{**service, "metadata": {"name": name}} for name in ("a", "bad", "b")]
    text = "\n---\n".join(
        [
            yaml.safe_dump({"apiVersion": "v1", "kind": "List", "items": items}),
            "mapping: {c: {}, short: {z: [{ip: 10.0.0.1, port: 1}]}}",
            SERVICE % "bad",
            SERVICE % "d",
        ]
    )
    result = load_one(tmp_path, "all.yaml", text)
    assert [obj.key.name for obj in result.objects] == ["a", "b", "c", "d"]
    assert {problem.hint for problem in result.problems} == {HINT}
    reason = "internal error: ZeroDivisionError('integer division or modulo by zero')"
    assert lines(result, tmp_path) == [f"all.yaml:{line}: {reason} ({HINT})" for line in (10, 23, 25)]


def test_an_unexpected_error_in_a_file_affects_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other files are read."""
    (tmp_path / "a.yaml").write_text(SERVICE % "a", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(SERVICE % "b", encoding="utf-8")
    real = loader.tool_file.kind_by_name
    monkeypatch.setattr(
        loader.tool_file, "kind_by_name", lambda path: real(path) if "a" in path.name[0] else 1 / 0
    )
    result = load([tmp_path], "own")
    assert [obj.key.name for obj in result.objects] == ["a"]
    assert "b.yaml: internal error: ZeroDivisionError" in str(result.problems[0])


def test_a_name_that_is_not_utf_8_is_shown_escaped(tmp_path: Path) -> None:
    """POSIX file names are any bytes; problems are Unicode text."""
    for directory, text in ((b"\xff.yaml", "x: 1"), (b"\xfe.yaml", "a: [")):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + directory)).write_text(text, encoding="utf-8")
    result = load([tmp_path, Path(os.fsdecode(b"/nowhere/\xfd"))], "own")
    assert [problem.where.rpartition("/")[2] for problem in result.problems] == [
        "\\xfd",
        "\\xfe.yaml:1",
        "\\xff.yaml:1",
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},\n "spec": {"ports": [{"port": %s}]}}'
        % ("9" * 5000),
        '{"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",\n "name": "\\ud800"}',
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a",\n "annotations": {"x": "\\udfff"}}}',
        '{"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"},\n "\\ud800": 1}',
        '{"apiVersion": "v1", "kind": "Service",\n "metadata": {"name": "\\ud800"}}',
    ],
)
def test_invalid_text_and_numbers_are_problems_with_their_line(tmp_path: Path, text: str) -> None:
    """In names, keys, annotations and values: neither an object nor the problem has it."""
    result = load_one(tmp_path, "a.json", text)
    assert result.objects == ()
    assert [problem.where.rpartition(":")[2] for problem in result.problems] == ["2"]
    str(result.problems).encode()
