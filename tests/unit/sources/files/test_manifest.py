"""Kubernetes manifests in files: what is read, ignored and invalid, with locations."""

import json

import pytest

from steerway.sources.files.document import Document, read_documents
from steerway.sources.files.entry import Entry, Origin
from steerway.sources.files.manifest import is_manifest, read_manifest
from steerway.sources.objects.core import EndpointSlice, Namespace, ObjectKey, Service
from steerway.sources.policy.gateway import BackendTLSPolicy, GRPCRoute, HTTPRoute, ReferenceGrant
from steerway.sources.policy.traffic_policy import TrafficPolicy
from tests.support.example.policy_example import BROKEN, FULL, MISTYPED, Mistyped, policy


def read(text: str) -> list[Entry]:
    entries: list[Entry] = []
    for document in read_documents(text):
        assert isinstance(document, Document)
        assert is_manifest(document.value)
        entries += read_manifest(document.value, (), Origin("x.yaml", document, "own"))
    return entries


def test_a_service_and_a_slice_are_read_into_the_own_namespace() -> None:
    """A missing namespace is the default one; null keys are absent keys."""
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


@pytest.mark.parametrize(
    "head",
    [
        "{apiVersion: v1, kind: Service",
        "{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, addressType: IPv4",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: GRPCRoute",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute",
        "{apiVersion: gateway.networking.k8s.io/v1beta1, kind: ReferenceGrant",
        "{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy,"
        " spec: {targetRefs: [], validation: {}}",
        "{apiVersion: steerway.io/v1alpha1, kind: TrafficPolicy,"
        " spec: {targetRefs: [{group: '', kind: Service, name: b}], subset: {min: 3}}",
    ],
)
@pytest.mark.parametrize("namespace", ["''", "null"])
def test_an_empty_namespace_is_an_absent_one(head: str, namespace: str) -> None:
    """As for the API server (omitempty); templates render it."""
    (entry,) = read(f"{head}, metadata: {{name: a, namespace: {namespace}}}}}")
    assert entry.ok, entry.problem
    assert entry.subject is not None
    assert entry.subject.namespace == "own"


def test_other_kinds_are_ignored_and_named() -> None:
    """Directories hold manifests of all kinds; the same kind of another group is another kind."""
    deployment, knative = read(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: x}\n---\n"
        "apiVersion: serving.knative.dev/v1\nkind: Service\nmetadata: {name: y}\n"
    )
    assert (deployment.ignored, deployment.kind, deployment.name) == (True, "Deployment", "x")
    assert knative.ignored


def test_a_namespace_is_read_for_its_privacy_annotation() -> None:
    """Other Namespaces are ignored as any kind is: directories often have them, and repeatedly."""
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
    """Items of a typed list need no type; an invalid item affects itself only and has its own line."""
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


def test_a_wrong_type_is_reported_by_line_and_path() -> None:
    """The problem has file, line, path in the object, reason and hint."""
    (entry,) = read("apiVersion: v1\nkind: Service\nmetadata:\n  name: a\nspec:\n  ports:\n  - port: '80'\n")
    assert str(entry.problem) == (
        "x.yaml:7: Service own/a: expected a number, got a string at $.spec.ports[0].port"
        " (write a whole number without quotes)"
    )


def test_an_object_without_a_name_has_no_subject() -> None:
    """The problem cannot be attributed to an object."""
    (entry,) = read("apiVersion: v1\nkind: Service\nmetadata: {}\n")
    assert entry.subject is None
    assert entry.problem is not None
    assert "field name is missing" in entry.problem.reason


def test_a_route_of_v1beta1_is_one_of_v1() -> None:
    """HTTPRoute has the same schema in both versions; also in a typed list."""
    head = "apiVersion: gateway.networking.k8s.io/%s\nkind: HTTPRoute"
    spec = "spec: {parentRefs: [{group: '', kind: Service, name: a}], rules: [{backendRefs: [{name: a, port: 80}]}]}"
    old, new = (
        read(f"{head % version}\nmetadata: {{name: r}}\n{spec}\n")[0] for version in ("v1beta1", "v1")
    )
    assert old.ok
    assert old.objects == new.objects
    (listed,) = read(f"{head % 'v1beta1'}List\nitems:\n- {{metadata: {{name: r}}, {spec}}}\n")
    assert listed.objects == new.objects


def test_near_misses_are_problems_and_not_ignored() -> None:
    """A manifest that was meant to be served is reported."""
    texts = {
        "apiVersion: discovery.k8s.io/v1beta1\nkind: EndpointSlice": "write apiVersion: discovery.k8s.io/v1",
        "apiVersion: v1\nkind: service": "write kind: Service",
        "apiVersion: v2\nkind: Service": "write apiVersion: v1",
        "apiVersion: steerway.io/v1\nkind: TrafficPolicy": "write apiVersion: steerway.io/v1alpha1",
        "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: GRPCRoute": (
            "write apiVersion: gateway.networking.k8s.io/v1"
        ),
        "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: HTTPRoute": (
            "write apiVersion: gateway.networking.k8s.io/v1"
        ),
        "apiVersion: gateway.networking.k8s.io/v1alpha2\nkind: ReferenceGrant": (
            "write apiVersion: gateway.networking.k8s.io/v1"
        ),
        "apiVersion: gateway.networking.k8s.io/v1\nkind: GrpcRoute": "write kind: GRPCRoute",
        "kind: Service": "add apiVersion",
        "apiVersion: v1": "add kind",
    }
    for text, hint in texts.items():
        (entry,) = read(text + "\nmetadata: {name: a}\n")
        assert entry.problem is not None, text
        assert entry.problem.hint == hint


GATEWAY_API = """\
apiVersion: gateway.networking.k8s.io/v1
kind: GRPCRoute
metadata: {name: shop.v2, namespace: shop, labels: {a: b}}
spec:
  parentRefs: [{group: "", kind: Service, name: backend, port: 80}]
  rules:
  - matches: [{method: {type: RegularExpression, service: "shop\\\\..*"}}]
    backendRefs: [{name: backend-v2, port: 80, weight: 1}]
    unknown: not checked
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web}
spec: {rules: [{timeouts: {request: 10s}}]}
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {name: old}
spec: {from: [{group: gateway.networking.k8s.io, kind: GRPCRoute, namespace: shop}], to: [{group: "", kind: Service}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: ReferenceGrant
metadata: {name: new}
---
apiVersion: gateway.networking.k8s.io/v1
kind: BackendTLSPolicy
metadata: {name: tls}
spec: {targetRefs: [{group: "", kind: Service, name: backend}], validation: {hostname: backend.shop}}
---
apiVersion: gateway.networking.k8s.io/v1alpha3
kind: BackendTLSPolicy
metadata: {name: older}
spec: {targetRefs: [{group: "", kind: Service, name: backend}], validation: {hostname: backend.shop}}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
"""


def test_kinds_attached_to_services_are_read() -> None:
    """Routes, grants and TLS policies of the Gateway API; a Gateway is ignored."""
    *result, gateway = read(GATEWAY_API)
    assert [(type(entry.objects[0]), entry.name) for entry in result] == [
        (GRPCRoute, "shop/shop.v2"),
        (HTTPRoute, "own/web"),
        (ReferenceGrant, "own/old"),
        (ReferenceGrant, "own/new"),
        (BackendTLSPolicy, "own/tls"),
        (BackendTLSPolicy, "own/older"),
    ]
    assert gateway.ignored
    (listed,) = read(
        "apiVersion: steerway.io/v1alpha1\nkind: TrafficPolicyList\nitems:\n- metadata: {name: a}\n"
        '  spec: {targetRefs: [{group: "", kind: Service, name: b}]}\n'
    )
    assert isinstance(listed.objects[0], TrafficPolicy)


def test_an_invalid_regular_expression_affects_only_its_route() -> None:
    """With its line, RE2's reason, and a hint."""
    bad, *others = read(GATEWAY_API.replace("shop\\\\..*", "(?=shop)"))
    assert str(bad.problem) == (
        "x.yaml:7: GRPCRoute shop/shop.v2: not a regular expression that clients can use: invalid perl operator: (?="
        " at $.spec.rules[0].matches[0].method.service"
        " (write it in RE2 syntax (https://github.com/google/re2/wiki/Syntax), at most 1024 characters)"
    )
    assert all(entry.ok for entry in others)


def test_a_policy_with_every_section_is_read() -> None:
    """Also as returned by an API server: with status and server metadata."""
    status = {
        "ancestors": [
            {"ancestorRef": {"name": "backend"}, "controllerName": "steerway.io/x", "conditions": []}
        ]
    }
    metadata = {
        "name": "a",
        "creationTimestamp": "2026-01-01T00:00:00Z",
        "generation": 3,
        "managedFields": [],
    }
    (entry,) = read(json.dumps(policy(FULL) | {"status": status, "metadata": metadata}))
    assert entry.problem is None
    obj = entry.objects[0]
    assert isinstance(obj, TrafficPolicy)
    assert (obj.metadata.generation, obj.metadata.creation_timestamp) == (3, "2026-01-01T00:00:00Z")


@pytest.mark.parametrize("example", MISTYPED, ids=lambda example: example.name)
def test_what_an_api_server_refuses_is_a_problem_with_its_path(example: Mistyped) -> None:
    """Unknown fields, too, which an API server would drop silently."""
    (entry,) = read(json.dumps(policy(example.spec)))
    assert entry.subject == ObjectKey("TrafficPolicy", "shop", "example")
    assert entry.problem is not None
    assert entry.problem.reason.startswith(f"TrafficPolicy shop/example: {example.reason}")
    assert entry.problem.hint


def test_an_unknown_field_has_its_line_and_the_nearest_name() -> None:
    """Without a near name, the existing ones are listed."""
    text = (
        "apiVersion: steerway.io/v1alpha1\nkind: TrafficPolicy\nmetadata: {name: a}\nspec:\n"
        '  targetRefs: [{group: "", kind: Service, name: b}]\n  limits:\n    max_requests: 7\n'
    )
    (local,) = read(text)
    assert str(local.problem) == (
        "x.yaml:7: TrafficPolicy own/a: unknown field 'max_requests': did you mean maxRequests?"
        " at $.spec.limits.max_requests (known here: maxRequests)"
    )
    (remote,) = read(text.replace("spec:", "extra: 1\nspec:"))
    assert remote.problem is not None
    assert remote.problem.reason == (
        "TrafficPolicy own/a: unknown field 'extra' at $.extra; unknown field 'max_requests': did you mean"
        " maxRequests? at $.spec.limits.max_requests"
    )


def test_a_violated_rule_is_a_problem_with_its_path() -> None:
    """And the rule's message."""
    for example in BROKEN:
        (entry,) = read(json.dumps(policy(example.bad)))
        assert entry.problem is not None
        assert example.message in entry.problem.reason
