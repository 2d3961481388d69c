"""The objects that a refusal is about: by the names in the error text, and by the change."""

from types import SimpleNamespace
from typing import Any

import pytest

from steerway.catalog.model.identity import ServiceId
from steerway.control.engine_events import RefusedObjects
from steerway.sources.objects.core import ObjectKey
from steerway.translate.xds import type_url

API_SERVER = "kubernetes"
CART, MY_CART = (f"{name}.shop.svc.cluster.local:50051" for name in ("cart", "my-cart"))
CART_SERVICE, MY_CART_SERVICE = ObjectKey("Service", "shop", "cart"), ObjectKey("Service", "shop", "my-cart")
ROUTE = ObjectKey("GRPCRoute", "shop", "canary")
SLICE = ObjectKey("EndpointSlice", "shop", "cart-1")
OWNERS = {ROUTE: [ServiceId("shop", "cart")], SLICE: [ServiceId("shop", "cart")]}


def refused(*changed: ObjectKey, source: str = API_SERVER) -> RefusedObjects:
    """The change has these objects, and all are read from `source`."""
    cluster: Any = SimpleNamespace(
        store=SimpleNamespace(get=None, source_of=lambda _: source),
        api_server=API_SERVER,
        catalog=SimpleNamespace(owners=lambda _, key: OWNERS.get(key, [])),
    )
    known = SimpleNamespace(audience="grpc/go/shop", client="grpc-go 1.80")
    clients: Any = SimpleNamespace(stream={1: known}.get)
    journal: Any = SimpleNamespace(objects=lambda change: changed if change else ())
    return RefusedObjects(cluster, clients, journal, "cluster.local")


def nack(message: str, *names: str, change: int = 0, kind: str = type_url.CLUSTER) -> Any:
    return SimpleNamespace(stream=1, change=change, type_url=kind, resources=names, message=message)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (f"cluster {CART}: unknown policy", {CART_SERVICE}),
        (f'[resource "{MY_CART}": unknown policy]', {MY_CART_SERVICE}),
        (f"{CART}: no; {MY_CART}: no", {CART_SERVICE, MY_CART_SERVICE}),
        (f"{CART}.", {CART_SERVICE}),
    ],
)
def test_only_services_that_the_error_names(message: str, expected: set[ObjectKey]) -> None:
    """A name that ends another one, as cart ends my-cart, is not meant by it."""
    assert refused().objects(nack(message, CART, MY_CART)) == expected


def test_a_single_name_needs_no_mention() -> None:
    assert refused().objects(nack("unknown policy", CART)) == {CART_SERVICE}


def test_several_names_without_a_mention_and_without_a_change_are_unknown() -> None:
    assert refused().objects(nack("unknown policy", CART, MY_CART)) == frozenset()


def test_the_objects_of_the_change_come_before_the_services() -> None:
    """A route, whose owner looks for Events; an EndpointSlice is written by a controller."""
    assert refused(ROUTE, SLICE).objects(nack("no", CART, MY_CART, change=7)) == {ROUTE}
    assert refused(ROUTE).objects(nack(f"{MY_CART}: no", CART, MY_CART, change=7)) == {MY_CART_SERVICE}


def test_a_short_name_of_a_listener_is_one_of_the_namespace_of_the_client() -> None:
    assert refused().objects(nack("no", "cart:50051", kind=type_url.LISTENER)) == {CART_SERVICE}


def test_objects_of_other_sources_get_no_event() -> None:
    assert refused(source="files").objects(nack("no", CART)) == frozenset()


def test_the_client_of_an_ended_stream_is_unknown() -> None:
    assert (refused().client(1), refused().client(2)) == ("grpc-go 1.80", "a client")
