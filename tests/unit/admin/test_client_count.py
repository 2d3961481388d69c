"""The metric of streams by client library and version."""

from collections.abc import Iterator

import pytest

from steerway.admin import client_count
from steerway.admin.client_count import ClientCount
from steerway.telemetry import CLIENT_STREAMS
from steerway.translate.client.client import Client, parse


@pytest.fixture(autouse=True)
def clear() -> Iterator[None]:
    yield
    CLIENT_STREAMS.clear()


def samples() -> dict[tuple[str, str], float]:
    return {
        (sample.labels["library"], sample.labels["version"]): sample.value
        for family in CLIENT_STREAMS.collect()
        for sample in family.samples
    }


def test_streams_are_counted_until_they_end() -> None:
    """A series without a stream goes, so that old versions do not stay."""
    count = ClientCount()
    count.open(1, parse("grpc-go/1.80"))
    count.open(2, parse("grpc-go/1.80"))
    count.open(3, Client())
    assert samples() == {("go", "1.80"): 2, ("unknown", "unknown"): 1}
    count.close(1)
    count.close(3)
    count.close(4)
    assert samples() == {("go", "1.80"): 1}


def test_versions_beyond_the_limit_are_one_series(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients choose the version in their Node."""
    monkeypatch.setattr(client_count, "_MOST_VERSIONS", 2)
    count = ClientCount()
    for stream, version in enumerate(("1.1", "1.2", "1.3", "1.4", "1.1")):
        count.open(stream, parse(f"grpc-go/{version}"))
    assert samples() == {("go", "1.1"): 2, ("go", "1.2"): 1, ("go", "other"): 2}
    for stream in range(5):
        count.close(stream)
    assert samples() == {}
