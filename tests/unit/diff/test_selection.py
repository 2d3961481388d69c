"""Notes about Services whose endpoints Kubernetes will choose anew."""

from steerway.diff.selection import notes
from steerway.sources.objects.core import ObjectKey

BACKEND = ObjectKey("Service", "shop", "backend")
LIVE = {"selector": {"app": "a", "tier": "b"}, "ports": [{"port": 80, "protocol": "TCP", "targetPort": 80}]}


def test_equal_services_have_no_note() -> None:
    """The order of labels and the default of targetPort do not matter."""
    written = {"selector": {"tier": "b", "app": "a"}, "ports": [{"port": 80}]}
    assert [*notes({BACKEND: LIVE}, {BACKEND: written})] == []


def test_a_selector_and_a_target_port_are_named_with_both_values() -> None:
    selector = {**LIVE, "selector": {"app": "c"}}
    (note,) = notes({BACKEND: LIVE}, {BACKEND: selector})
    assert note.startswith("Service shop/backend: the selector changes (app=a, tier=b → app=c)")
    port = {**LIVE, "ports": [{"port": 80, "targetPort": "web"}]}
    (note,) = notes({BACKEND: LIVE}, {BACKEND: port})
    assert note.startswith("Service shop/backend: targetPort changes (80 → web)")


def test_a_new_service_with_a_selector_has_no_endpoints_yet() -> None:
    """One without a selector has the EndpointSlices of its author."""
    (note,) = notes({}, {BACKEND: LIVE})
    assert note.startswith("Service shop/backend is new")
    assert [*notes({}, {BACKEND: {"ports": [{"port": 80}]}})] == []
