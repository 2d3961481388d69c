"""The short mapping format of k8s-xds, read unchanged: its own test, from one backend to the next to the next."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from testbed.backend.backend import Backends
from testbed.manifest import Endpoint, Files
from tests.real.conftest import Connect, Steer


def _mapping(*addresses: str, key: str = "backend") -> dict[str, Any]:
    endpoints = [Endpoint(address) for address in addresses]
    return {key: {"eu-1a": [{"ip": e.host, "port": e.port, "zone": "eu-1a"} for e in endpoints]}}


def test_a_client_follows_each_change_of_the_mapping(
    backends: Backends,
    files: Files,
    steer: Steer,
    connect: Connect,
    record_property: Callable[[str, object], None],
) -> None:
    """The mapping names backend A, then B, then C; the client calls each in turn, and no call fails."""
    first, *others = backends.open(3)
    files.write("mapping.yaml", _mapping(first))
    channel = connect(steer()).dial("xds:///backend.default")
    with channel.load(rate=200) as load:
        load.settle(first)
        for address in others:
            written = time.monotonic()
            files.write("mapping.yaml", _mapping(address))
            load.wait_for_backend(address)
            seconds = round(time.monotonic() - written, 3)
            record_property("seconds_from_file_to_answer", seconds)
            print(f"{seconds} s from the change of the file to the first answer of the new backend")
            load.settle(address)
    assert load.failures == []


def test_a_short_target_works_for_a_client_without_a_namespace(
    backends: Backends,
    files: Files,
    steer: Steer,
    connect: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`xds:///backend`, as k8s-xds has it: the setting of the default namespace fits the mapping."""
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    addresses = backends.open(2)
    files.write("mapping.yaml", _mapping(*addresses))
    channel = connect(steer(), "--namespace", "").dial("xds:///backend")
    with channel.load() as load:
        load.settle(*addresses)
    assert load.failures == []


@pytest.mark.parametrize(
    ("key", "targets"),
    [
        ("backend.shop", ("backend", "backend.shop", "backend.shop:50051", "backend.shop:9")),
        ("shop/backend:50051", ("backend", "backend.shop.svc.cluster.local:50051")),
    ],
)
def test_a_client_of_a_namespace_dials_a_key_of_it(
    backends: Backends, files: Files, steer: Steer, connect: Callable[..., Any], key: str, targets: tuple[str]
) -> None:
    """Without a port in the key every number is right, and no other is invented."""
    (address,) = backends.open(1)
    files.write("mapping.yaml", _mapping(address, key=key))
    plane = steer()
    client = connect(plane, "--namespace", "shop")
    for target in targets:
        with client.dial(f"xds:///{target}").load(rate=50) as load:
            load.settle(address)
        assert load.failures == []
    names = {resource["name"] for resource in plane.get("/api/v1/resources")["resources"]}
    port = ":50051" if key.endswith(":50051") else ""
    assert f"backend.shop.svc.cluster.local{port}" in names
    assert not [name for name in names if name.endswith(":80")]
