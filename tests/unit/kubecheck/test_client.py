"""Clients whose libraries lack features of newer releases."""

import pytest

from steerway.kubecheck.section import client
from tests.unit.kubecheck.api import Answers, context


@pytest.mark.parametrize("name", ["grpc-go 1.85", "envoy 1.40", "curl 8.0", "grpc-go", "grpc-js 1.14"])
def test_current_and_unknown_clients_lack_nothing(name: str) -> None:
    assert client.lacks(name) is None


def test_an_old_library() -> None:
    """With the release that has all features."""
    lacking = client.lacks("grpc-go 1.40")
    assert lacking is not None
    features, since = lacking
    assert "retries (gRFC A44)" in features
    assert since == (1, 73)


async def test_a_line_for_each_library() -> None:
    made, _ = await context()
    items = [
        {"id": "shop/a", "libraries": {"grpc-go 1.40": 2, "grpc-go 1.85": 1}},
        {"id": "shop/b", "libraries": {"grpc-go 1.40": 1}},
    ]
    made.replicas = Answers(clients={"r1": {"items": items}, "r2": {"items": items[:1]}})
    (result,) = await client.old_libraries(made)
    assert result.text.startswith("5 streams of shop/a, shop/b have grpc-go 1.40, which lacks ")
    assert result.hint.startswith("upgrade it to 1.73 or newer")
    made.replicas = Answers(clients={"r1": {"items": []}})
    (result,) = await client.old_libraries(made)
    assert result.text == "no client is connected"
