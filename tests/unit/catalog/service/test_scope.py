"""Label selectors, and whose word counts on what is served."""

import msgspec
import pytest

from steerway.catalog.catalog import Catalog
from steerway.catalog.service.scope import Selection, Selector
from steerway.sources.objects.core import (
    ENABLED_ANNOTATION,
    EXPORT_ANNOTATION,
    Namespace,
    Object,
    ObjectMeta,
    Service,
    ServiceMeta,
)
from testbed.mesh import Mesh, endpoint_slice, service

LABELS = {"team": "shop", "tier": "a", "example.org/x": ""}


@pytest.mark.parametrize(
    ("selector", "matches"),
    [
        ("", True),
        ("team", True),
        ("!team", False),
        ("!other", True),
        ("other", False),
        ("team=shop", True),
        ("team == shop", True),
        ("team=pay", False),
        ("team!=pay", True),
        ("team!=shop", False),
        ("other!=x", True),
        ("tier in (a, b)", True),
        ("tier in (b,c)", False),
        ("tier notin (b)", True),
        ("tier notin (a)", False),
        ("other in (a)", False),
        ("other notin (a)", True),
        ("example.org/x=", True),
        ("example.org/x", True),
        ("team=shop,tier in (a,b),!other", True),
        ("team=shop, tier in (c), !other", False),
        ("team,tier=b", False),
        ("index", False),
        ("in in (in)", False),
    ],
)
def test_a_selector_matches_labels_as_kubernetes_does(selector: str, matches: bool) -> None:
    """Equality, sets and presence, all of which must hold; `!=` and `notin` also hold where the label is not there."""
    assert Selector(selector).matches(LABELS) is matches


def test_no_labels_match_what_asks_for_none() -> None:
    """The same as empty ones."""
    assert Selector("!team").matches(None)
    assert not Selector("team").matches(None)


def _word(value: str | None) -> dict[str, str] | None:
    return None if value is None else {ENABLED_ANNOTATION: value}


def _backend(value: str | None = None, labels: dict[str, str] | None = None) -> Service:
    meta = ServiceMeta("backend", "shop", labels=labels, annotations=_word(value))
    return msgspec.structs.replace(service(50051), metadata=meta)


def _shop(value: str | None = None, labels: dict[str, str] | None = None) -> Namespace:
    return Namespace(ObjectMeta("shop", labels=labels, annotations=_word(value)))


@pytest.mark.parametrize(
    ("own", "of_namespace", "served"),
    [
        (None, None, True),
        ("true", None, True),
        (" True ", None, True),
        ("false", None, False),
        ("flase", None, False),
        (None, "false", False),
        (None, "true", True),
        ("true", "false", True),
        ("false", "true", False),
    ],
)
@pytest.mark.parametrize("first", ["service", "namespace"])
def test_a_service_is_enabled_by_its_own_word_or_that_of_its_namespace(
    own: str | None, of_namespace: str | None, served: bool, first: str
) -> None:
    """Whichever is known first; anything but true is false, so that a typo publishes nothing."""
    objects: list[Object] = [_backend(own), _shop(of_namespace)]
    mesh = Mesh(endpoint_slice("10.0.0.1"), *(objects if first == "service" else reversed(objects)))
    assert len(mesh.catalog) == served
    assert mesh.catalog.problems() == []
    mesh.update(_shop("true"), _backend("true"))
    assert mesh.dial("backend") == ["10.0.0.1:50051"]


@pytest.mark.parametrize(
    ("own", "of_namespace", "exported"),
    [
        (None, None, None),
        ("pay", None, {"pay"}),
        (" pay,web ,.", None, {"pay", "web"}),
        ("", None, set()),
        (".", "*", set()),
        ("*", ".", None),
        ("pay,*", None, None),
        (None, "pay", {"pay"}),
        ("Pay!,web", None, {"web"}),
    ],
)
def test_a_service_is_exported_by_its_own_word_or_that_of_its_namespace(
    own: str | None, of_namespace: str | None, exported: set[str] | None
) -> None:
    """An invalid namespace is reported, and has no effect; its own namespace is implied."""

    def meta(name: str, namespace: str, value: str | None) -> ServiceMeta:
        return ServiceMeta(name, namespace, annotations=None if value is None else {EXPORT_ANNOTATION: value})

    fact = msgspec.structs.replace(service(50051), metadata=meta("backend", "shop", own))
    mesh = Mesh(Namespace(meta("shop", "", of_namespace)), fact)
    (result,) = mesh.catalog
    assert result.exported_to == exported
    assert result.is_for("shop")
    assert result.is_for("web") is (exported is None or "web" in exported)
    assert len(mesh.catalog.problems()) == ("Pay!" in (own or ""))


def test_a_namespace_that_is_enabled_again_brings_its_services_back() -> None:
    """Also those that were never served, and only while they exist."""
    mesh = Mesh(_shop("false"), _backend(), service(1, name="gone"), service(1, name="cart", namespace="pay"))
    mesh.update(delete=[service(1, name="gone").key])
    assert [str(item.id) for item in mesh.catalog] == ["pay/cart"]
    mesh.update(delete=[_shop().key])
    assert {str(item.id) for item in mesh.catalog} == {"pay/cart", "shop/backend"}


@pytest.mark.parametrize(
    ("services", "namespaces", "served"),
    [
        ("tier=a", "", True),
        ("tier=b", "", False),
        ("", "team=shop", True),
        ("", "team=pay", False),
        ("tier=a", "team=shop", True),
        ("tier=b", "team=shop", False),
    ],
)
def test_services_are_selected_by_their_labels_and_those_of_their_namespaces(
    services: str, namespaces: str, served: bool
) -> None:
    """Both have to match; a Namespace that is not known has no labels."""
    facts: dict[object, Object] = {
        item.key: item for item in (_backend(labels={"tier": "a"}), _shop(labels={"team": "shop"}))
    }
    catalog = Catalog(Selection(services=services, namespaces=namespaces))
    catalog.update(facts.get, [fact.key for fact in facts.values()])
    assert len(catalog) == served
    del facts[_shop().key]
    catalog.update(facts.get, [_shop().key])
    assert len(catalog) == (served and not namespaces)
