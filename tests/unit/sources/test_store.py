"""The object store: whole batches, first source wins, readiness, problems."""

import asyncio

from steerway import telemetry
from steerway.sources.objects.core import (
    TRIGGER_ANNOTATION,
    EndpointSlice,
    ObjectMeta,
    Service,
    ServiceMeta,
    ServicePort,
    ServiceSpec,
)
from steerway.sources.store import PART_OBJECTS, Batch, Changes, ObjectStore, Problem


def service(name: str, port: int = 80) -> Service:
    return Service(ServiceMeta(name=name, namespace="shop"), ServiceSpec(ports=[ServicePort(port=port)]))


def store(*sources: str) -> tuple[ObjectStore, list[Changes]]:
    made = ObjectStore()
    for source in sources:
        made.register(source)
    batches: list[Changes] = []
    made.listen(batches.append)
    return made, batches


def sample(name: str, **labels: str) -> float:
    return telemetry.REGISTRY.get_sample_value(name, labels) or 0.0


def test_a_batch_is_one_call_of_a_listener() -> None:
    made, batches = store("files")
    made.apply("files", Batch(put=(service("a"), service("b"))))
    assert [set(batch) for batch in batches] == [{service("a").key, service("b").key}]


async def test_a_large_batch_comes_in_parts() -> None:
    """The store reports further parts until an empty one ends the batch; other tasks run in between."""
    made = ObjectStore()
    made.register("files")
    parts: list[tuple[int, bool]] = []
    made.listen(lambda changes: parts.append((len(changes), made.partial)))
    old = tuple(service(f"old-{number}") for number in range(PART_OBJECTS + 1))
    made.apply("files", Batch(put=old))
    new = tuple(service(f"new-{number}") for number in range(PART_OBJECTS))
    problem = Problem("file:1", "broken")
    turns: list[int] = []
    work = asyncio.create_task(
        made.apply_in_parts(
            "files", Batch(new, tuple(item.key for item in old), {"file": (problem,)}, atomic=True)
        )
    )
    while not work.done():
        turns.append(len(parts))
        await asyncio.sleep(0)
    assert parts == [(len(old), False), (PART_OBJECTS, True), (PART_OBJECTS, True), (1, True), (0, False)]
    assert turns == [1, 2, 3, 4, 4, 5][: len(turns)]
    assert list(made.objects()) == list(new)
    assert made.problems() == [problem]


async def test_a_small_batch_comes_in_one_part() -> None:
    made, batches = store("files")
    await made.apply_in_parts("files", Batch((service("a"), service("b"))))
    assert [len(batch) for batch in batches] == [2]


def test_an_equal_object_is_no_change() -> None:
    """No listener is called for it."""
    made, batches = store("files")
    made.apply("files", Batch(put=(service("a"),)))
    made.apply("files", Batch(put=(service("a"),)))
    made.apply("files", Batch(delete=(service("never-there").key,)))
    assert len(batches) == 1


def test_the_first_source_takes_precedence_and_the_second_replaces_it() -> None:
    """A shadowed object is a problem, and replaces the first when that is removed."""
    made, batches = store("kubernetes", "files")
    made.apply("files", Batch(put=(service("a", 1),)))
    made.apply("kubernetes", Batch(put=(service("a", 2),)))
    assert made.get(service("a").key) == service("a", 2)
    assert [str(problem) for problem in made.problems()] == [
        "Service shop/a: given by kubernetes and by files; kubernetes is used (remove one of them)"
    ]
    made.apply("files", Batch(put=(service("a", 3),)))
    assert len(batches) == 2, "a change of the shadowed one is not visible"
    made.apply("kubernetes", Batch(delete=(service("a").key,)))
    assert made.get(service("a").key) == service("a", 3)
    assert made.problems() == []
    assert list(made.objects()) == [service("a", 3)]


def test_synced_needs_every_source() -> None:
    """One source without a sync keeps the store unsynced; listeners are called for each sync once."""
    made, batches = store("kubernetes", "files")
    made.mark_synced("files")
    assert (made.synced, made.unsynced) == (False, ["kubernetes"])
    made.mark_synced("kubernetes")
    made.mark_synced("kubernetes")
    assert made.synced
    assert batches == [{}, {}]
    assert sample("steerway_source_synced", source="files") == 1


def test_problems_are_replaced_by_subject() -> None:
    """A batch replaces the problems of its subjects, and an empty list clears them."""
    made, _ = store("files")
    first, second = Problem("a.yaml:1", "bad"), Problem("b.yaml:1", "bad")
    made.apply("files", Batch(problems={"a.yaml": (first,), "b.yaml": (second,)}))
    assert made.problems() == [first, second]
    made.apply("files", Batch(problems={"a.yaml": ()}))
    assert made.problems() == [second]


def test_changes_are_counted_by_source_and_kind() -> None:
    """Puts and deletes count for their source and kind."""
    labels = {"source": "count-me", "kind": "Service"}
    made, _ = store("count-me")
    made.apply("count-me", Batch(put=(service("a"), service("b"))))
    made.apply("count-me", Batch(delete=(service("a").key,)))
    assert sample("steerway_informer_events_total", event="put", **labels) == 2
    assert sample("steerway_informer_events_total", event="delete", **labels) == 1


def endpoint_slice(trigger: str | None, **labels: str) -> EndpointSlice:
    annotations = {TRIGGER_ANNOTATION: trigger} if trigger is not None else None
    return EndpointSlice(ObjectMeta("a-1", "shop", labels, annotations), "IPv4")


def test_a_change_has_the_time_that_its_controller_noted() -> None:
    """An unchanged time is that of an earlier change, and an invalid one is ignored. A new time alone is no change."""
    made, batches = store("kubernetes")
    noon = "2026-11-23T12:00:00.5Z"
    for item in (
        endpoint_slice(noon),
        endpoint_slice("2026-11-23T12:00:09Z"),
        endpoint_slice("2026-11-23T12:00:10.25Z", step="2"),
        endpoint_slice("2026-11-23T12:00:10.25Z", step="3"),
        endpoint_slice("noon", step="4"),
        endpoint_slice(None, step="5"),
    ):
        made.apply("kubernetes", Batch(put=(item,)))
    made.apply("kubernetes", Batch(delete=(endpoint_slice(None).key,)))
    day = 1795392000.0
    assert [{key: change.event for key, change in batch.items()} for batch in batches] == [
        {endpoint_slice(None).key: at} for at in (day + 43200.5, day + 43210.25, None, None, None, None)
    ]


def test_a_failing_listener_does_not_affect_others() -> None:
    """The batch is applied, and the next listener receives it."""
    made = ObjectStore()
    made.register("files")
    batches: list[Changes] = []
    made.listen(lambda _: 1 // 0)  # type: ignore[arg-type]
    made.listen(batches.append)
    before = sample("steerway_internal_errors_total", part="listener")
    made.apply("files", Batch(put=(service("a"),)))
    assert [set(batch) for batch in batches] == [{service("a").key}]
    assert sample("steerway_internal_errors_total", part="listener") == before + 1


def test_an_invalid_time_is_ignored() -> None:
    """The annotation is any text: without a zone, a time near the year 1 cannot be converted."""
    for trigger in ("0001-01-01T00:00:00", "9999-12-31T23:59:59-23:59", "no time", ""):
        made, batches = store("files")
        meta = ObjectMeta("a", "shop", annotations={TRIGGER_ANNOTATION: trigger})
        made.apply("files", Batch(put=(EndpointSlice(meta, "IPv4"),)))
        assert len(batches) == 1
