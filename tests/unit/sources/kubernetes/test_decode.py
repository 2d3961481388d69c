"""Bytes to objects: slim objects, isolation of an invalid object, and any chunk boundaries."""

import json
from typing import Any

import msgspec
import pytest

from steerway.sources.kubernetes import decode
from steerway.sources.kubernetes.decode import (
    LineSplitter,
    decode_event,
    decode_object,
    decode_page,
    decode_status,
)
from steerway.sources.kubernetes.event import EventType, Failure, Item
from steerway.sources.objects.core import EndpointSlice, ObjectKey, Service


def service(name: str, **spec: Any) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": "shop",
        "resourceVersion": "7",
        "uid": "x",
        "managedFields": [{"manager": "kubectl", "fieldsV1": {"f:spec": {}}}],
    }
    return {
        "metadata": metadata,
        "spec": {"ports": [{"port": 80, "targetPort": "http"}], **spec},
        "status": {},
    }


def page(*items: Any, **metadata: str) -> bytes:
    return json.dumps({"metadata": {"resourceVersion": "10", **metadata}, "items": items}).encode()


def event(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode()


KEY = ObjectKey("Service", "shop", "a")


def test_a_page_has_objects_version_and_continuation() -> None:
    """Fields without a use are skipped."""
    result = decode_page("Service", page(service("a"), service("b"), **{"continue": "token"}))
    assert (result.resource_version, result.continue_token) == ("10", "token")
    assert [item.key for item in result.items] == [KEY, KEY._replace(name="b")]
    assert all(isinstance(item.value, Service) for item in result.items)
    assert decode_page("Service", b'{"metadata": {"resourceVersion": "1"}, "items": null}').items == ()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (service("a", ports=[{"port": "80"}]), "expected a number, got a string at $.spec.ports[0].port"),
        (service("a", ports=[{"port": 0}]), "port 0 is out of range at $.spec.ports[0].port"),
        (
            service("a", ports=[{"port": 0, "name": "x"}, {"port": 1, "name": "x"}]),
            "port 0 is out of range at $.spec.ports[0].port; two ports are named 'x' at $.spec.ports[1].name",
        ),
        (
            {"metadata": {"name": "a", "namespace": "shop"}, "spec": 7},
            "expected a mapping, got a number at $.spec",
        ),
    ],
)
def test_an_invalid_object_is_reported_and_the_others_are_decoded(
    broken: dict[str, Any], reason: str
) -> None:
    """In a page and in an event."""
    good, bad = decode_page("Service", page(service("b"), broken)).items
    assert good.value is not None
    assert bad == Item(KEY, reason=reason)
    assert decode_event("Service", event("MODIFIED", broken)).item == Item(KEY, reason=reason)


def test_a_nameless_object_has_no_key() -> None:
    """The problem has the reason only."""
    (item,) = decode_page("Service", page({"spec": {}})).items
    assert item == Item(None, reason="field metadata is missing")
    (item,) = decode_page("Service", page([1, 2])).items
    assert item.key is None


def test_events_carry_their_version() -> None:
    """Added, modified, deleted and bookmarks."""
    for name in ("ADDED", "MODIFIED"):
        result = decode_event("Service", event(name, service("a")))
        assert (result.type.value, result.resource_version) == (name, "7")
        assert result.item is not None
        assert isinstance(result.item.value, Service)
    result = decode_event("Service", event("BOOKMARK", {"metadata": {"resourceVersion": "99"}}))
    assert (result.type, result.resource_version, result.item) == (EventType.BOOKMARK, "99", None)


def test_an_invalid_object_can_still_be_deleted() -> None:
    """Only its name is needed."""
    result = decode_event("Service", event("DELETED", service("a", ports="nonsense")))
    assert result.item == Item(KEY)


def test_a_status_in_the_stream_is_a_failure() -> None:
    """Expiry is recognized by code or by reason."""
    status = {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}
    result = decode_event("Service", event("ERROR", status))
    assert result.failure == Failure(410, "Expired", "too old")
    assert result.failure.expired


@pytest.mark.parametrize(
    "line",
    [b"{", b"7", b'{"type": "NEWS", "object": {}}', b'{"object": {}}', b"\xff\xfe", b'{"type": "\xff"}'],
)
def test_a_malformed_line_is_an_event_of_its_own(line: bytes) -> None:
    """It may have been a change; the watcher lists again."""
    result = decode_event("Service", line)
    assert result.type is EventType.MALFORMED
    assert result.failure is not None


def test_nulls_of_go_are_absent() -> None:
    """Empty lists of an EndpointSlice are null."""
    raw = {
        "metadata": {"name": "s", "namespace": "shop", "labels": None},
        "addressType": "IPv4",
        "endpoints": None,
        "ports": None,
    }
    (item,) = decode_page("EndpointSlice", page(raw)).items
    assert isinstance(item.value, EndpointSlice)
    assert item.value.endpoints is None


def test_an_invalid_page_raises() -> None:
    """The whole request failed, not one object."""
    with pytest.raises(msgspec.DecodeError):
        decode_page("Service", b'{"items": [')
    with pytest.raises(msgspec.DecodeError):
        decode_page("Service", b"<html>login</html>")


def test_a_refusal_is_read_from_its_body_or_its_status_line() -> None:
    """Proxies answer in HTML."""
    status = {"reason": "TooManyRequests", "message": "slow down", "code": 429}
    body = json.dumps({"kind": "Status", **status, "details": {"retryAfterSeconds": 3}}).encode()
    assert decode_status(body, 429, "x") == Failure(429, "TooManyRequests", "slow down", 3.0)
    assert decode_status(b"<html>\xff", 502, "Bad Gateway") == Failure(502, "Bad Gateway", "<html>\ufffd")


def test_a_long_line_in_many_chunks_is_joined() -> None:
    """Far beyond the usual limit of 64 KiB of line readers."""
    line = b"x" * 3_000_000
    splitter = LineSplitter()
    results = [
        done for start in range(0, len(line), 1000) for done in splitter.feed(line[start : start + 1000])
    ]
    assert results == []
    assert splitter.feed(b"y\n\n\r\nz\n") == [line + b"y", b"z"]


def test_a_line_over_the_limit_is_an_error() -> None:
    """The memory for a stream that is no watch is bounded."""
    splitter = LineSplitter(max_line_bytes=100)
    splitter.feed(b"x" * 100)
    with pytest.raises(ValueError, match="longer than 100 bytes"):
        splitter.feed(b"x")


def test_an_unexpected_error_affects_one_object(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other objects of the page are read, and the object keeps its key: its last good version stays."""
    real = decode.validation_errors

    def validation_errors(obj: Any) -> Any:
        return 1 // 0 if obj.metadata.name == "a" else real(obj)

    monkeypatch.setattr(decode, "validation_errors", validation_errors)
    bad, good = decode_page("Service", page(service("a"), service("b"))).items
    reason = "internal error: ZeroDivisionError('integer division or modulo by zero')"
    assert bad == Item(KEY, reason=reason)
    assert isinstance(good.value, Service)
    monkeypatch.setattr(decode, "decode_object", lambda *_: 1 // 0)
    failure = decode_event("Service", event("ADDED", service("a"))).failure
    assert failure is not None
    assert failure.reason == "internal error"


@pytest.mark.parametrize(
    "text",
    [
        '{"metadata": {"name": "a", "namespace": "shop", "labels": {"x": "\\ud800"}}}',
        '{"metadata": {"name": "a", "namespace": "shop"}, "spec": {"ports": [{"port": %s}]}}' % ("9" * 5000),
        '{"metadata": {"name": "a", "namespace": "shop"}, "spec": {"ports": [{"port": 1e999}]}}',
    ],
)
def test_invalid_text_and_numbers_affect_one_object(text: str) -> None:
    """Neither an object nor the reason has it."""
    item = decode_object("Service", text.encode())
    assert item.value is None
    assert item.reason
    item.reason.encode()


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        ("3", 3.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("1" * 400, 3600.0),
        ("1e300", 3600.0),
        ('"3"', 0.0),
        ("null", 0.0),
    ],
)
def test_the_wait_that_a_server_requests_is_bounded(wait: str, seconds: float) -> None:
    """By an hour."""
    body = f'{{"code": 429, "details": {{"retryAfterSeconds": {wait}}}}}'
    assert decode_status(body.encode()).retry_after_seconds == seconds
