"""The world of a soak: an API server whose objects change and that goes away, honest clients that come and go."""

import itertools
import random
import sys
import threading
import time
from types import TracebackType
from typing import Self

from envoy.config.core.v3.base_pb2 import Node

from bench.soak.hostile import KINDS
from bench.soak.measure import Latency
from steerway.testing.ads_client import AdsClient, DeltaStream, StreamEndedError
from steerway.translate.xds.type_url import ENDPOINT
from testbed.api_server import ApiServer
from testbed.manifest import service, slices
from testbed.process.control_plane import ControlPlane
from testbed.process.process import Process, Processes

NAMESPACE = "soak"
_PORT = 50051
_OUTAGE_SECONDS = 3.0
_NAME = "{}.soak.svc.cluster.local:50051"
_PROBE = "probe"


class Mesh:
    """Services of an API server. The probe changes only when it is measured."""

    def __init__(self, api: ApiServer, count: int, seed: int) -> None:
        self._api = api
        self._random = random.Random(seed)
        self._names = [f"s{number}" for number in range(count)]
        self._versions = itertools.count(1)
        for name in [_PROBE, *self._names]:
            api.put(service(name, {"": _PORT}, namespace=NAMESPACE))
            self._move(name)

    def change(self) -> None:
        """One of the services has other endpoints."""
        self._move(self._random.choice(self._names))

    def probe(self) -> int:
        """The probe has another endpoint; returns its port."""
        return self._move(_PROBE)

    def restart_api_server(self) -> None:
        """It goes away for some seconds, and changes meanwhile."""
        self._api.lose()
        self.change()
        time.sleep(_OUTAGE_SECONDS)
        self._api.come_back()

    def some(self) -> str:
        """The name of some assignment."""
        return _NAME.format(self._random.choice(self._names))

    def _move(self, name: str) -> int:
        version = next(self._versions)
        port = 1024 + version % 60_000
        count = 1 if name == _PROBE else self._random.randint(1, 20)
        addresses = [
            f"10.{version >> 8 & 255}.{version & 255}.{number + 1}:{port}" for number in range(count)
        ]
        (changed,) = slices(name, addresses, namespace=NAMESPACE)
        self._api.put(changed)
        return port


class Honest:
    """Some clients that follow services, of which one leaves and another one comes from time to time."""

    def __init__(self, address: str, mesh: Mesh, count: int) -> None:
        self._address = address
        self._mesh = mesh
        self._lock = threading.Lock()
        self._clients = [self._come() for _ in range(count)]
        self.failures: list[str] = []
        self._stopped = threading.Event()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def restart_one(self) -> None:
        """The oldest goes, and comes back as another."""
        with self._lock:
            client, _ = self._clients.pop(0)
            client.close()
            self._clients.append(self._come())

    def _come(self) -> tuple[AdsClient, DeltaStream]:
        client = AdsClient(self._address, Node(id="honest"))
        stream = client.delta()
        stream.request(ENDPOINT, *{self._mesh.some() for _ in range(5)})
        return client, stream

    def _read(self) -> None:
        """Take what comes, and accept it. A stream that ends is a failure: nothing here exceeds a limit."""
        while not self._stopped.wait(0.05):
            with self._lock:
                for _, stream in self._clients:
                    try:
                        stream.ack(stream.read(0.0))
                    except TimeoutError:
                        continue
                    except StreamEndedError as error:
                        self.failures.append(repr(error))
                        return

    def close(self) -> None:
        self._stopped.set()
        self._reader.join()
        for client, _ in self._clients:
            client.close()


class Hostile:
    """Some abusers at a time, of a kind drawn anew each time; a context manager that ends them."""

    def __init__(self, plane: ControlPlane, mesh: Mesh, count: int, seed: int) -> None:
        self._plane = plane
        self._mesh = mesh
        self._count = count
        self._kinds = itertools.cycle(random.Random(seed).sample(sorted(KINDS), len(KINDS)))
        self._processes = Processes()
        self._running: list[Process] = []

    @property
    def kinds(self) -> list[str]:
        """Those that run."""
        return [process.name for process in self._running]

    def rotate(self) -> None:
        """The oldest goes, if there are as many as may be, and one of the next kind comes."""
        if len(self._running) == self._count:
            self._running.pop(0).end()
        kind = next(self._kinds)
        admin = self._plane.admin.removeprefix("http://")
        # Niceness: the abuser is to cost the server, not the processor that the server needs.
        command = ["/usr/bin/env", "nice", "-n", "19", sys.executable, "-m", "bench.soak.hostile"]
        arguments = [kind, self._plane.address, admin, self._mesh.some()]
        self._running.append(self._processes.start(kind, [*command, *arguments]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._running:
            process.end()


def latency(address: str, mesh: Mesh) -> Latency:
    """What an honest client sees now."""
    name = _NAME.format(_PROBE)
    with AdsClient(address, Node(id="probe")) as client:
        stream = client.delta()
        stream.request(ENDPOINT, name)
        stream.ack(stream.read())

        def update() -> float:
            begin = time.perf_counter()
            mesh.probe()
            stream.ack(stream.read())
            return time.perf_counter() - begin

        def first_answer() -> float:
            begin = time.perf_counter()
            with AdsClient(address, Node(id="new")) as new:
                first = new.delta()
                first.request(ENDPOINT, name)
                first.read()
                return time.perf_counter() - begin

        return Latency.measure(update, first_answer)
