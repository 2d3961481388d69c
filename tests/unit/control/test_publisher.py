"""The publisher beside a real engine: an entry that the engine refuses, and changes before the start."""

import asyncio
from collections.abc import Iterable, Iterator

import pytest

from steerway.catalog.federation import Federation
from steerway.catalog.model.mesh import ServiceId
from steerway.commit import Commit, Put
from steerway.config import Settings
from steerway.control.local_cluster import LocalCluster
from steerway.control.publisher import Publisher
from steerway.control.wiring import make_engine, make_journal, make_translator
from steerway.engine.engine import Engine
from steerway.translate.translator import Translator
from steerway.translate.xds import type_url

SETTINGS = Settings(listen="127.0.0.1:0", admin="127.0.0.1:0")


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = make_engine(SETTINGS)
    yield engine
    engine.stop()


@pytest.fixture
def publisher(engine: Engine) -> Publisher:
    cluster = LocalCluster(SETTINGS)
    federation = Federation(cluster.catalog, [], SETTINGS.cluster_policy)
    translator = make_translator(SETTINGS, federation, scope_all=False)
    return Publisher(
        cluster, federation, translator, engine, make_journal(SETTINGS, engine)[0], asyncio.Lock()
    )


def published(engine: Engine) -> list[str]:
    return sorted(entry.name for entry in engine.entries())


def test_an_entry_that_the_engine_refuses_stops_no_other(publisher: Publisher, engine: Engine) -> None:
    """A commit is atomic: without the second attempt nothing of it would be published."""
    bad = Put(type_url.CLUSTER, "bad", "", b"", ttl_seconds=-1.0)
    publisher.publish(
        Commit(put=[Put(type_url.CLUSTER, "a", "", b""), bad, Put(type_url.CLUSTER, "b", "", b"")])
    )
    assert published(engine) == ["a", "b"]


async def test_changes_are_published_after_the_start_only(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before, a remote cluster would publish services without the endpoints of the local one."""
    refreshed: list[frozenset[ServiceId]] = []

    def refresh(_self: Translator, services: Iterable[ServiceId], *_: object, **__: object) -> Commit:
        refreshed.append(frozenset(services))
        return Commit()

    monkeypatch.setattr(Translator, "refresh", refresh)
    changed = frozenset({ServiceId("shop", "backend")})
    publisher.refresh(changed, {})
    await publisher.start()
    assert changed not in refreshed
    publisher.refresh(changed, {})
    assert refreshed[-1] == changed
