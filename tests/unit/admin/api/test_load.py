"""`/api/v1/loads`: what clients report of their requests."""

import httpx

from tests.unit.admin.admin_world import DroppedLoad, Loads, LocalityLoad, World


async def test_loads_stand_by_cluster_and_assignment(world: World, http: httpx.AsyncClient) -> None:
    """Localities and drops of one cluster stand together; a cluster that only drops has no localities."""
    world.all_loads = Loads(
        reporters=2,
        reports=7,
        ignored=3,
        localities=[
            LocalityLoad(zone="eu-1a", issued=5, successful=3, errors=1, in_progress=1),
            LocalityLoad(zone="eu-1b", issued=1, successful=1),
        ],
        dropped=[DroppedLoad(category="lb", count=4), DroppedLoad("alone", "", "", 9)],
    )
    answer = (await http.get("/api/v1/loads")).json()
    assert {key: answer[key] for key in ("reporters", "reports", "ignored_rows")} == {
        "reporters": 2,
        "reports": 7,
        "ignored_rows": 3,
    }
    alone, backend = answer["clusters"]
    assert alone == {"cluster": "alone", "endpoints": "", "localities": [], "dropped": {"": 9}}
    assert (backend["cluster"], backend["dropped"]) == ("backend", {"lb": 4})
    assert [locality["zone"] for locality in backend["localities"]] == ["eu-1a", "eu-1b"]
    assert backend["localities"][0] == {
        "region": "",
        "zone": "eu-1a",
        "sub_zone": "",
        "issued": 5,
        "successful": 3,
        "errors": 1,
        "in_progress": 1,
    }
