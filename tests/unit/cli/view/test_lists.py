"""The lists of all replicas: merged rows, filters, formats, and replicas that fail."""

import json

import yaml

from steerway.cli.replica.similar import nearest
from tests.support.admin_replica import AdminReplica
from tests.unit.cli.view.conftest import Ask, change, listed, node, service, status, workload

SERVICES = "/api/v1/services"
CLIENTS = "/api/v1/clients"


def lines(text: str) -> list[list[str]]:
    """The cells of a table."""
    return [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in text.splitlines()]


def test_services_of_all_replicas_are_one_table(ask: Ask, pair: list[AdminReplica]) -> None:
    """Streams are summed, the worst state counts, and a Service that only one knows is listed, too."""
    refused = {"streams": 2, "workloads": 1, "states": {"in_sync": 1, "refused": 1}}
    pair[0].documents[SERVICES] = listed(service(), service("web", state="idle"))
    pair[1].documents[SERVICES] = listed(service(state="error", clients=refused, changed_age_seconds=5.0))
    code, out, err = ask("services")
    assert (code, err) == (0, "")
    assert lines(out) == [
        ["SERVICE", "STATE", "PORTS", "ENDPOINTS", "STREAMS", "SYNC", "PROBLEMS", "CHANGED"],
        ["shop/backend", "error", "50051:grpc", "2/3", "5", "refused 1, in sync 4", "0", "5s"],
        ["shop/web", "idle", "50051:grpc", "2/3", "3", "in sync", "0", "90s"],
    ]
    wide = ask("services", "-o", "wide", "--no-headers")[1]
    assert lines(wide)[0][-3:] == ["TrafficPolicy shop/backend", "<none>", "first 3, second 2"]


def test_every_format_has_the_same_rows(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        replica.documents[SERVICES] = listed(service())
    document = json.loads(ask("services", "-o", "json")[1])
    assert [item["replicas"] for item in document["items"]] == [{"first": 3, "second": 3}]
    assert yaml.safe_load(ask("services", "-o", "yaml")[1]) == document
    assert ask("services", "-o", "name") == (0, "service/shop/backend\n", "")


def test_all_pages_are_read(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        replica.documents[SERVICES] = listed(*(service(f"s{number}") for number in range(7)))
        replica.page_items = 3
    assert len(ask("services", "-o", "name")[1].splitlines()) == 7
    assert len(pair[0].requests) == 3


def test_one_service_is_chosen_by_any_form_of_its_name(ask: Ask, pair: list[AdminReplica]) -> None:
    """The server searches; names that merely contain it are left out."""
    for replica in pair:
        replica.documents[SERVICES] = listed(service(), service("backend-v2"))
    for name in (
        "backend",
        "shop/backend",
        "backend.shop",
        "xds:///backend.shop:50051",
        "service/shop/backend",
    ):
        assert ask("services", name, "-o", "name")[1] == "service/shop/backend\n"
    assert pair[0].requests[-1] == "/api/v1/services?limit=1000&namespace=shop&q=backend"
    code, out, err = ask("services", "nothing")
    assert (code, out, err) == (1, "", "error: no Service is called nothing\n")
    for name in ("backned", "shop/backed", "backned.shop"):
        code, out, err = ask("services", name)
        assert (code, out) == (1, "")
        assert err.splitlines() == [
            f"error: no Service is called {name}",
            "note: there is shop/backend, shop/backend-v2",
        ]
    assert json.loads(ask("services", "nothing", "-o", "json")[1]) == {"items": []}
    assert ask("services", "a/b/c")[0] == 1


def test_a_replica_that_fails_is_a_warning(ask: Ask, pair: list[AdminReplica]) -> None:
    """The other one's rows are shown, and the exit code is 0."""
    pair[0].documents[SERVICES] = listed(service())
    code, out, err = ask("services", "--no-headers")
    assert (code, len(out.splitlines())) == (0, 1)
    assert err == (
        "warning: replica second: http://second does not have /api/v1/services: it is an older version of steerway,"
        " or another server\n"
    )


def test_without_any_answer_the_command_fails(ask: Ask, pair: list[AdminReplica]) -> None:
    """With each reason, or the one that all have."""
    pair[0].token = "secret"
    pair[1].documents[SERVICES] = {"error": "no state is called x: give ok"}
    code, out, err = ask("services")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "error: replica first: http://first wants a token: give its file with --token-file",
        "error: replica second: no state is called x: give ok",
    ]


def test_clients_are_listed_by_workload(ask: Ask, pair: list[AdminReplica]) -> None:
    pair[0].documents[CLIENTS] = listed(workload())
    pair[1].documents[CLIENTS] = listed(
        workload(states={"behind": 1}, state="behind", oldest_unacked_seconds=0.25, age_seconds=60.0)
    )
    code, out, _ = ask("clients")
    assert code == 0
    assert lines(out)[1] == [
        "shop/checkout",
        "Deployment",
        "4",
        "4",
        "behind 1, in sync 2",
        "grpc-go 1.80",
        "1",
        "250ms",
        "120m",
    ]


def test_a_node_id_lists_its_clients(ask: Ask, pair: list[AdminReplica]) -> None:
    """Of which a stream at each replica is one row."""
    pair[0].documents[CLIENTS] = listed(node(), node("checkout-2", state="refused", nack="bad cluster"))
    pair[1].documents[CLIENTS] = listed(node(age_seconds=30.0))
    out = ask("clients", "checkout-*", "-o", "wide")[1]
    assert pair[0].requests == ["/api/v1/clients?limit=1000&by=node&client=checkout-*"]
    assert lines(out)[1][:6] == ["checkout-1", "shop/checkout", "grpc-go 1.80", "in sync", "2", "1"]
    assert lines(out)[2][-1] == "bad cluster"


def test_a_node_id_that_is_not_connected_has_similar_ones(ask: Ask, pair: list[AdminReplica]) -> None:
    """The server filters; names come from the whole list."""
    pair[0].documents[CLIENTS] = pair[1].documents[CLIENTS] = listed()
    code, _, err = ask("clients", "chekout-1")
    assert (code, err) == (1, "error: no client with the node id chekout-1 is connected\n")
    assert pair[0].requests[-1] == "/api/v1/clients?limit=1000&fields=id&by=node"
    assert nearest("chekout-1", ["checkout-1", "web-0", "shop/other"]) == ["checkout-1"]


def test_problems_of_several_replicas_are_listed_once(ask: Ask, pair: list[AdminReplica]) -> None:
    """Exit code 1, so that scripts see them."""
    problem = {"where": "Service shop/a", "reason": "port 0", "hint": "use a number from 1 to 65535"}
    for replica in pair:
        replica.documents["/api/v1/problems"] = {"problems": [problem]}
    code, out, _ = ask("problems", "-o", "wide")
    assert code == 1
    assert lines(out)[1:] == [["Service shop/a", "port 0", "use a number from 1 to 65535", "first, second"]]
    for replica in pair:
        replica.documents["/api/v1/problems"] = {"problems": []}
    assert ask("problems") == (0, "", "note: no problems\n")


def test_changes_are_ordered_by_time_and_replica(ask: Ask, pair: list[AdminReplica]) -> None:
    """The newest first."""
    pair[0].documents["/api/v1/changes"] = listed(
        change("2", "a", "2026-11-30T21:00:02.000Z"), change("1", "a", "2026-11-30T21:00:00.000Z")
    )
    counts = {"sent": 3, "acked": 1, "nacked": 1, "pending": 1, "ended": 0}
    pair[1].documents["/api/v1/changes"] = listed(
        change("9", "b", "2026-11-30T21:00:01.000Z", clients=counts, kind="nack", text="refused by x")
    )
    code, out, _ = ask("changes", "--since", "5m", "-o", "wide")
    assert code == 0
    assert [row[1] for row in lines(out)[1:]] == ["first", "second", "first"]
    assert lines(out)[2][2:7] == ["nack", "refused by x", "1/3 refused 1", "12ms", "4ms"]
    assert pair[0].requests == ["/api/v1/changes?limit=1000&since=5m"]
    assert ask("changes", "--since", "yesterday")[0] == 2


def test_status_shows_replicas_and_what_differs(ask: Ask, pair: list[AdminReplica]) -> None:
    """Versions, kinds that are read, and the next command for what is wrong."""
    pair[0].documents["/api/v1/status"] = status("steerway-0")
    pair[1].documents["/api/v1/status"] = status(
        "steerway-1",
        version="0.3.0",
        ready=False,
        phase="starting",
        missing=["source x has not synced"],
        problems=2,
    )
    code, out, _ = ask("status")
    assert code == 0
    table, read, findings = lines(out)[:3], lines(out)[4:6], out.splitlines()[6:]
    assert table[1] == ["first", "0.2.0", "yes", "3d", "12s", "3", "in sync", "<none>", "2", "0"]
    assert table[2][:3] == ["second", "0.3.0", "starting"]
    assert read == [["READ", "first", "second"], ["Service", "synced (3s)", "synced (3s)"]]
    assert findings == [
        "! replicas have different versions: 0.2.0, 0.3.0",
        "    → wait for the rollout to end",
        "✗ second: source x has not synced",
        "! 2 problems",
        "    → steerway problems",
    ]


def test_status_names_what_is_absent(ask: Ask, pair: list[AdminReplica]) -> None:
    """Kinds without a definition, and names; the states of streams have the worst first; zeros are left out."""
    informer = {**status("x")["informers"][0], "kind": "TrafficPolicy", "installed": False}
    counts = {"in_sync": 1, "absent": 2, "refused": 1}
    for replica, limits in zip(pair, ({"names_per_stream": 0}, {"names_per_stream": 3}), strict=True):
        replica.documents["/api/v1/status"] = status(
            "x", informers=[informer], states=counts, absent=1, refused=limits
        )
    out = ask("status", "-o", "wide")[1]
    assert lines(out)[1][6] == "refused 1, absent 2, in sync 1"
    assert [row[-1] for row in lines(out)[1:3]] == ["-", "names_per_stream 3"]
    assert lines(out)[5] == ["TrafficPolicy", "no CRD (3s)", "no CRD (3s)"]
    assert out.splitlines()[-2:] == [
        "! 2 subscriptions to names that do not exist",
        "    → steerway clients --nodes --state absent",
    ]


def test_a_service_without_a_change_has_no_age_of_one(ask: Ask, pair: list[AdminReplica]) -> None:
    for replica in pair:
        replica.documents[SERVICES] = listed(service(changed_age_seconds=None))
    assert lines(ask("services")[1])[1][-1] == "-"


def test_status_lists_a_replica_without_answer(ask: Ask, pair: list[AdminReplica]) -> None:
    pair[0].documents["/api/v1/status"] = status("steerway-0")
    code, out, err = ask("status")
    assert code == 0
    assert lines(out)[2][:3] == ["second", "<none>", "no answer"]
    assert err.startswith("warning: replica second: ")
    (_, failed) = json.loads(ask("status", "-o", "json")[1])["replicas"]
    assert set(failed) == {"id", "error"}
