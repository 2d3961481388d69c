"""The admin paths that are not about streams and resources: health, metrics, problems, the page, methods."""

from collections.abc import Iterable

import httpx
import pytest
from envoy.config.core.v3.base_pb2 import Node
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar

from steerway import telemetry
from steerway.admin.api.route.client import CLIENT_STATUS
from steerway.admin.metrics import CHANGES, Exposition, add_exemplars
from steerway.admin.page import ENDPOINTS
from steerway.journal.entry import Example
from steerway.sources.kubernetes import InformerStatus
from steerway.sources.objects.core import ObjectKey
from steerway.sources.store import Problem
from tests.unit.admin.admin_world import SECRET, Entry, Resource, Stream, Subscription, World

PATHS = [path.replace("NAME", "a") for path in ENDPOINTS]


async def test_healthz_answers_whatever_the_sources_do(world: World, http: httpx.AsyncClient) -> None:
    """Being alive is not being ready."""
    world.unsynced = ["kubernetes"]
    world.phase = "starting"
    answer = await http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


async def test_readyz_lists_the_reasons_until_there_are_none(world: World, http: httpx.AsyncClient) -> None:
    """503 names each source that has not synced and why it cannot; then the first commit; then 200."""
    world.unsynced, world.phase = ["files", "kubernetes"], "starting"
    world.obstacles = [Problem("kubernetes services", "cannot list: 403", "grant it")]
    answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "phase": "starting",
        "missing": [
            "source files has not synced",
            "source kubernetes has not synced",
            "kubernetes services: cannot list: 403 (grant it)",
        ],
        "informers": [],
    }
    world.unsynced = []
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["missing"]) == (
        503,
        ["the first resources are being published"],
    )
    world.phase = "serving"
    answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()) == (
        200,
        {"ready": True, "phase": "serving", "missing": [], "informers": []},
    )


async def test_readyz_shows_how_stale_each_informer_is(world: World, http: httpx.AsyncClient) -> None:
    """A replica that has lost its API server is ready all the same: it serves what it knows."""
    world.informers = [
        InformerStatus("", "Service", None, True, 12.345),
        InformerStatus("west", "EndpointSlice", "shop", False, 200.0, True, False),
    ]
    answer = await http.get("/readyz")
    assert answer.json()["informers"] == [
        {
            "cluster": "",
            "kind": "Service",
            "namespace": "all",
            "synced": True,
            "silent_seconds": 12.3,
            "stale": False,
            "installed": True,
        },
        {
            "cluster": "west",
            "kind": "EndpointSlice",
            "namespace": "shop",
            "synced": False,
            "silent_seconds": 200.0,
            "stale": True,
            "installed": False,
        },
    ]
    assert answer.status_code == 200


async def test_readyz_fails_while_draining(world: World, http: httpx.AsyncClient) -> None:
    """No new client is sent to a replica that is going."""
    world.phase = "draining"
    answer = await http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["shutting down: clients are being moved to other replicas"]


async def test_metrics_hold_the_product_the_stages_and_the_process(http: httpx.AsyncClient) -> None:
    """The exposition has steerway's own metrics and those of the process and platform."""
    telemetry.INFORMER_SYNCED.labels("test-source").set(1)
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    assert 'steerway_source_synced{source="test-source"} 1.0' in answer.text
    assert "\nprocess_resident_memory_bytes " in answer.text
    assert "\npython_info{" in answer.text


async def test_problems_are_counted_at_scrape_time(world: World, http: httpx.AsyncClient) -> None:
    """The gauge is the length of the list of problems."""
    world.all_problems = [Problem("a.yaml:3", "bad"), Problem("b.yaml:1", "bad")]
    assert "\nsteerway_problems 2.0\n" in (await http.get("/metrics")).text
    world.all_problems = []
    assert "\nsteerway_problems 0.0\n" in (await http.get("/metrics")).text


async def test_metrics_have_the_silence_of_each_kind(world: World, http: httpx.AsyncClient) -> None:
    """By the monotonic clock, when they are scraped; of several namespaces the longest silence."""
    world.informers = [
        InformerStatus("", "Service", "shop", True, 12.5),
        InformerStatus("", "Service", "pay", True, 99.5),
        InformerStatus("west", "EndpointSlice", None, True, 3.0),
    ]
    text = (await http.get("/metrics")).text
    assert '\nsteerway_informer_silent_seconds{kind="Service"} 99.5\n' in text
    assert '\nsteerway_informer_silent_seconds{kind="west/EndpointSlice"} 3.0\n' in text


async def test_metrics_speak_open_metrics_when_asked(http: httpx.AsyncClient) -> None:
    """The scraper chooses the format."""
    answer = await http.get("/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


async def test_metrics_have_the_services_and_the_age_of_the_configuration(
    world: World, http: httpx.AsyncClient
) -> None:
    """The age is 0 before the first publication."""
    text = (await http.get("/metrics")).text
    assert "\nsteerway_services 3.0\n" in text
    assert "\nsteerway_config_age_seconds 0.0\n" in text
    world.journal.publish()
    world.journal.now += 12
    assert "\nsteerway_config_age_seconds 12.0\n" in (await http.get("/metrics")).text


def test_buckets_name_the_last_change_that_was_observed_in_them() -> None:
    """The newest change comes first; a bucket without observations has none."""
    changes = HistogramMetricFamily(CHANGES, "Durations.", labels=["step"])
    for step in ("received_to_acked", "event_to_acked"):
        changes.add_metric([step], [("0.01", 1), ("0.1", 2), ("1", 0), ("+Inf", 3)], 1.0)
    examples = [
        Example({"change": "3"}, 50.5, {"received_to_acked": 0.1, "event_to_acked": 5.0}),
        Example({"change": "2"}, 40.5, {"received_to_acked": 0.02}),
        Example({"change": "1"}, 30.5, {"received_to_acked": 0.001, "event_to_acked": 0.5, "unknown": 1.0}),
    ]
    add_exemplars(changes, examples)
    exemplars = {
        (sample.labels["step"], sample.labels["le"]): sample.exemplar
        for sample in changes.samples
        if sample.exemplar is not None
    }
    assert exemplars == {
        ("received_to_acked", "0.01"): Exemplar({"change": "1"}, 0.001, 30.5),
        ("received_to_acked", "0.1"): Exemplar({"change": "3"}, 0.1, 50.5),
        ("event_to_acked", "+Inf"): Exemplar({"change": "3"}, 5.0, 50.5),
    }


def test_metrics_of_a_stage_are_read_at_scrape_time() -> None:
    """A collector that the view names is asked anew for each scrape."""

    class Stage(Collector):
        scrapes = 0

        def collect(self) -> Iterable[Metric]:
            self.scrapes += 1
            yield CounterMetricFamily("stage_scrapes", "Scrapes.", value=self.scrapes)

    exposition = Exposition([Stage()])
    bodies = [exposition.encode("")[0] for _ in range(2)]
    assert b"stage_scrapes_total 1.0" in bodies[0]
    assert b"stage_scrapes_total 2.0" in bodies[1]


async def test_problems_are_listed_with_their_hint(world: World, http: httpx.AsyncClient) -> None:
    """An entry has the object, the reason and the hint."""
    world.all_problems = [Problem("a.yaml:3", "port 0 is out of range", "use 1 to 65535")]
    answer = await http.get("/api/v1/problems")
    assert answer.json() == {
        "problems": [{"where": "a.yaml:3", "reason": "port 0 is out of range", "hint": "use 1 to 65535"}],
        "total": 1,
        "next": None,
        "replica": "steerway-0",
    }


async def test_problems_are_filtered_and_paged(world: World, http: httpx.AsyncClient) -> None:
    """By the object, also where the problem names a file."""
    about = ObjectKey("Service", "shop", "backend")
    world.all_problems = [
        Problem("a.yaml:3", "no", about=about),
        Problem("GRPCRoute shop/r", "no"),
        Problem("Service web/front", "no"),
        Problem("b.yaml:1", "no", subject=ObjectKey("Service", "shop", "cart")),
    ]
    filtered = (await http.get("/api/v1/problems?kind=Service&namespace=shop")).json()
    assert [problem["where"] for problem in filtered["problems"]] == ["a.yaml:3", "b.yaml:1"]
    first = (await http.get("/api/v1/problems?limit=2")).json()
    assert (len(first["problems"]), first["total"], first["next"]) == (2, 4, "2")
    rest = (await http.get("/api/v1/problems?limit=2&after=2")).json()
    assert [problem["where"] for problem in rest["problems"]] == ["Service web/front", "b.yaml:1"]
    assert rest["next"] is None
    assert (await http.get("/api/v1/problems?after=x")).status_code == 400


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_nothing_but_get_is_allowed(http: httpx.AsyncClient, method: str) -> None:
    """There is nothing to change: each path answers 405 to each other method."""
    answers = [await http.request(method, path) for path in PATHS]
    assert [answer.status_code for answer in answers] == [405] * len(PATHS)
    assert answers[0].json() == {"error": "Method Not Allowed"}


async def test_every_path_of_the_page_exists(world: World, http: httpx.AsyncClient) -> None:
    """The index lists the paths that there are. The stream of events does not end: `test_events.py`."""
    world.unsynced = []
    listed = [path for path in ENDPOINTS if not path.endswith(("NAME", "NODE", "/events"))]
    answers = [await http.get(path) for path in ["/", *listed]]
    assert len(answers) > 8
    assert {answer.status_code for answer in answers} == {200}


async def test_the_paths_of_a_404_are_those_of_the_operations(http: httpx.AsyncClient) -> None:
    """Each operation of the OpenAPI document that is read, whatever stands for its parameters."""
    documented = (await http.get("/api/v1/openapi.json")).json()["paths"]
    read = {path.partition("{")[0].rstrip("/") for path, methods in documented.items() if "get" in methods}
    listed = {path.partition("?")[0] for path in ENDPOINTS}
    missing = {path for path in read if path.startswith("/api/") and path not in listed}
    assert missing == set()


async def test_an_unknown_type_of_streams_is_refused(http: httpx.AsyncClient) -> None:
    answer = await http.get("/api/v1/streams?type=foo")
    assert answer.status_code == 400
    assert "type is 'foo': give one of cds, ecds, eds, lds" in answer.json()["error"]


async def test_an_unknown_path_names_those_that_exist(http: httpx.AsyncClient) -> None:
    """A 404 helps."""
    answer = await http.get("/api/v2/streams")
    assert answer.status_code == 404
    assert "/api/v1/streams" in answer.json()["see"]


async def test_the_status_of_all_clients_is_answered_in_json(world: World, http: httpx.AsyncClient) -> None:
    """CSDS as csds.proto maps it to HTTP: node matchers count, and secrets are not shown."""
    secret = Secret(name="tls")
    secret.tls_certificate.private_key.inline_string = "very secret"
    body = secret.SerializeToString()
    world.all_entries = [Entry(SECRET, "tls", body=body)]
    row = Resource("tls", version=f"v{len(body)}", status="acked")
    part = Subscription(SECRET, names=["tls"], resources=[row])
    world.all_streams = [
        Stream(node_id=node, node=Node(id=node).SerializeToString(), subscriptions=[part])
        for node in ("web-1", "pay-1")
    ]
    matcher = {"node_matchers": [{"node_id": {"prefix": "web-"}}]}
    answer = await http.post(CLIENT_STATUS, json=matcher)
    assert answer.status_code == 200
    assert "very secret" not in answer.text
    (client,) = answer.json()["config"]
    (config,) = client["generic_xds_configs"]
    assert (client["node"]["id"], config["name"], config["client_status"]) == ("web-1", "tls", "ACKED")
    assert "xds_config" in config
    assert len((await http.post(CLIENT_STATUS)).json()["config"]) == 2


@pytest.mark.parametrize("body", ["{", "[]", '{"node_matchers": 1}', "[" * 5000])
async def test_what_is_no_client_status_request_is_refused(http: httpx.AsyncClient, body: str) -> None:
    """With words, as every other bad request."""
    answer = await http.post(CLIENT_STATUS, content=body)
    assert answer.status_code == 400
    assert "no ClientStatusRequest" in answer.json()["error"]
