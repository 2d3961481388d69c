"""Kubernetes manifests in files: what is read, what is ignored, what is broken and where."""

from steerway.sources.files.document import Document, read_documents
from steerway.sources.files.entry import Entry, Origin
from steerway.sources.files.manifest import is_manifest, read_manifest
from steerway.sources.objects import EndpointSlice, Namespace, ObjectKey, Service


def read(text: str) -> list[Entry]:
    found: list[Entry] = []
    for document in read_documents(text):
        assert isinstance(document, Document)
        assert is_manifest(document.value)
        found += read_manifest(document.value, (), Origin("x.yaml", document, "own"))
    return found


def test_a_service_and_a_slice_are_read_into_the_own_namespace() -> None:
    """A namespace that is not written is the default one; null keys are absent keys."""
    service, slice_ = read(
        """\
apiVersion: v1
kind: Service
metadata: {name: backend, labels: null}
spec:
  clusterIP: None
  ports: [{port: 80, name: null, targetPort: http}]
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: b-1, namespace: shop}
addressType: IPv4
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}, zone: a}]
"""
    )
    assert (service.where, service.kind, service.name, service.ok) == (
        "x.yaml:1",
        "Service",
        "own/backend",
        True,
    )
    assert isinstance(service.objects[0], Service)
    assert service.objects[0].spec.cluster_ip == "None"
    assert isinstance(slice_.objects[0], EndpointSlice)
    assert slice_.subject == ObjectKey("EndpointSlice", "shop", "b-1")


def test_other_kinds_are_ignored_and_named() -> None:
    """People point steerway at whole folders; a kind of the same name in another group is another kind."""
    deployment, knative = read(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n"
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: y}\n"
    )
    assert (deployment.ignored, deployment.kind, deployment.name) == (True, "Deployment", "x")
    assert knative.ignored


def test_a_namespace_is_read_for_its_word_on_privacy() -> None:
    """Others are ignored as any kind is: folders of manifests give them often, and more than once."""
    private, plain, broken = read(
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop, namespace: x,"
        " annotations: {steerway.io/private: 'true'}}\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: pay}\n---\n"
        "apiVersion: v1\nkind: Namespace\nmetadata: {name: Pay, annotations: {steerway.io/private: true}}\n"
    )
    assert private.subject == ObjectKey("Namespace", "", "shop")
    assert isinstance(private.objects[0], Namespace)
    assert (plain.ignored, plain.name) == (True, "pay")
    assert not broken.ok


def test_lists_are_read_item_by_item() -> None:
    """Items of a typed list need no type; a broken item costs only itself and has its own line."""
    good, ignored, broken, other = read(
        """\
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Service, metadata: {name: a}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: b}}
- apiVersion: v1
  kind: Service
  metadata: {name: c}
  spec:
    ports:
    - port: 0
- 7
"""
    )
    assert [good.where, ignored.where, broken.where, other.where] == [
        "x.yaml:4",
        "x.yaml:5",
        "x.yaml:11",
        "x.yaml:12",
    ]
    assert (good.ok, ignored.ignored, broken.ok, other.ok) == (True, True, False, False)
    assert broken.subject == ObjectKey("Service", "own", "c")
    typed = read("apiVersion: v1\nkind: ServiceList\nitems:\n- metadata: {name: a}\n- metadata: {name: b}\n")
    assert [entry.name for entry in typed] == ["own/a", "own/b"]
    assert read("apiVersion: discovery.k8s.io/v1\nkind: EndpointSliceList\nitems:\n") == []
    (wrong,) = read("apiVersion: v1\nkind: List\nitems: {a: 1}\n")
    assert wrong.where == "x.yaml:3"


def test_a_wrong_type_is_named_by_line_and_path() -> None:
    """The problem says where in the file and where in the object, what is wrong and what to do."""
    (entry,) = read("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: '80'\n")
    assert str(entry.problem) == (
        "x.yaml:7: Service own/a: expected a number, got a string at $.spec.ports[0].port"
        " (write a whole number without quotes)"
    )


def test_an_object_without_a_name_has_no_subject() -> None:
    """Nobody can tell which object it is about."""
    (entry,) = read("apiVersion: v1\nkind: Service\nmetadata: {}\n")
    assert entry.subject is None
    assert entry.problem is not None
    assert "field name is missing" in entry.problem.reason


def test_near_misses_are_broken_not_ignored() -> None:
    """What was surely meant to be served must not vanish without a word."""
    texts = {
        "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice": "write apiVersion: discovery.k8s.io/v1",
        "apiVersion: v1\nkind: service": "write kind: Service",
        "apiVersion: v2\nkind: Service": "write apiVersion: v1",
        "kind: Service": "add apiVersion",
        "apiVersion: v1": "add kind",
    }
    for text, cure in texts.items():
        (entry,) = read(text + "\nmetadata: {name: a}\n")
        assert entry.problem is not None, text
        assert entry.problem.cure == cure
