"""Real tokens of service accounts (TokenRequest), verified by the API server and by its public keys."""

import pytest

from testbed.client.ads_question import ask
from testbed.cluster.namespace import Namespace
from testbed.process.deadline import until
from tests.cluster.conftest import NEEDS_CLUSTER, Steer

pytestmark = NEEDS_CLUSTER

AUDIENCE = "steerway"


@pytest.mark.parametrize("match_type", ["token_review", "jwks"])
def test_a_token_proves_a_service_account(match_type: str, namespace: Namespace, steer: Steer) -> None:
    """For the audience of steerway only, and for a node of its own namespace only."""
    namespace.publish([])
    account = namespace.account("web")
    plane = steer("--authentication-service-account", match_type)
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    name = namespace.target().removeprefix("xds:///")
    token = account.token(AUDIENCE)
    assert ask(plane.address, token, namespace.name, name) == {name: True}
    assert ask(plane.address, token, "elsewhere", name) == {"status": "PERMISSION_DENIED"}
    assert ask(plane.address, account.token(), namespace.name, name) == {"status": "UNAUTHENTICATED"}
    assert ask(plane.address, token + "x", namespace.name, name) == {"status": "UNAUTHENTICATED"}


def test_a_review_knows_that_an_account_is_gone(namespace: Namespace, steer: Steer) -> None:
    """A signature does not show it."""
    account = namespace.account("web")
    flags = ("--authentication-service-account", "token_review", "--authentication-review-cache-seconds", "0")
    plane = steer(*flags)
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    token = account.token(AUDIENCE)
    assert ask(plane.address, token, namespace.name, "nothing.here") == {"nothing.here": False}
    account.delete()
    until(
        lambda: ask(plane.address, token, namespace.name, "nothing.here") == {"status": "UNAUTHENTICATED"},
        "the end of the token",
    )


def test_a_private_namespace_is_kept_from_others(namespace: Namespace, steer: Steer) -> None:
    """By its annotation, while clients are connected."""
    namespace.publish([])
    account = namespace.account("web")
    plane = steer("--authentication-service-account", "jwks")
    until(plane.ready, lambda: f"ready: {plane.get('/readyz')}")
    name = namespace.target().removeprefix("xds:///")
    stranger = namespace.api.token("kube-system", "default", AUDIENCE)
    assert ask(plane.address, stranger, "kube-system", name) == {name: True}
    metadata = {"name": namespace.name, "annotations": {"steerway.io/private": "true"}}
    namespace.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    until(lambda: ask(plane.address, stranger, "kube-system", name) == {name: False}, "the end of the view")
    assert ask(plane.address, account.token(AUDIENCE), namespace.name, name) == {name: True}
