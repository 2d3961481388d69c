"""The OpenAPI document: all operations, with types that exist."""

import re
from typing import Any

import httpx
import pytest


@pytest.fixture
async def document(http: httpx.AsyncClient) -> dict[str, Any]:
    read: dict[str, Any] = (await http.get("/api/v1/openapi.json")).json()
    return read


async def test_every_path_is_in_the_document_with_its_parameters(
    http: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    """A parameter of a path is in it."""
    assert document["openapi"].startswith("3.1")
    names = [path["get"]["operationId"] for path in document["paths"].values()]
    assert len(set(names)) == len(names) >= 15
    for path, item in document["paths"].items():
        in_path = {p["name"] for p in item["get"]["parameters"] if p["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", path)), path
        if not in_path:
            answer = await http.get(path, params={"colour": "red"})
            assert answer.status_code == 400, path


async def test_every_reference_leads_to_a_type(document: dict[str, Any]) -> None:
    """And each type is used."""
    used = set(re.findall(r"'#/components/schemas/(\w+)'", str(document)))
    assert used == set(document["components"]["schemas"])


async def test_items_of_lists_need_their_id_only(document: dict[str, Any]) -> None:
    """`fields` leaves out the others; details have all."""
    types = document["components"]["schemas"]
    assert types["ServiceRow"]["required"] == ["id"]
    assert len(types["ServiceDetail"]["required"]) > 10


async def test_an_unknown_value_of_an_enum_gets_the_allowed_ones(
    http: httpx.AsyncClient, document: dict[str, Any]
) -> None:
    """Of each parameter of a query, also where other parameters are missing."""
    checked = set()
    for path, item in document["paths"].items():
        for parameter in item["get"]["parameters"]:
            allowed = parameter["schema"].get("enum")
            if parameter["in"] != "query" or not allowed or "{" in path:
                continue
            for wrong in ("", "Unknown"):
                answer = await http.get(path, params={parameter["name"]: wrong})
                assert answer.status_code == 400, (path, parameter["name"])
                assert all(value in answer.json()["error"] for value in allowed), answer.json()
            checked.add((path.rpartition("/")[2], parameter["name"]))
    assert checked >= {
        ("changes", "kind"),
        ("services", "state"),
        ("clients", "by"),
        ("streams", "resources"),
    }
