"""A server on `steerway._engine` alone: no sources, no catalog, no translation.

It publishes ready-made assignments, as `peers/gocontrolplane` does, and obeys the same lines on standard input.
"""

import argparse
import os
import select
import sys
import time
from pathlib import Path

from bench import mesh
from steerway._engine import Demand, Engine, Opened
from steerway.commit import Absent, Put
from steerway.engine.decision import Classification
from steerway.origin import Origin
from testbed.engine_options import engine_options

_EVERYBODY = ""


class EngineServer:
    """The assignments as they are now, and the engine that serves those which are asked for."""

    def __init__(self, services: int, endpoints: int, tls: tuple[Path, Path] | None) -> None:
        # All clients of a measurement have one address.
        self._engine = Engine(
            engine_options(identifier="bench", tls=tls is not None, max_connections_per_address=0)
        )
        if tls is not None:
            chain, key = tls
            self._engine.set_tls(chain.read_bytes(), key.read_bytes())
        self._names = [mesh.assignment_name(service) for service in range(services)]
        self._endpoints = [
            [mesh.encoded_endpoint(address) for address in mesh.first_addresses(service, endpoints)]
            for service in range(services)
        ]
        self._changes = 0
        for service in range(services):
            self._publish(service)

    def _publish(self, service: int) -> None:
        body = mesh.assignment(service, self._endpoints[service])
        now = time.monotonic()
        put = Put(mesh.ASSIGNMENT, self._names[service], _EVERYBODY, body, origin=Origin(now))
        self._changes += 1
        self._engine.publish(put=[put], now=now, change=self._changes)

    def obey(self, line: str) -> None:
        """`set ADDRESS ENDPOINT SERVICE...`; one commit for each service, as unrelated changes would be."""
        word, address, endpoint, *services = line.split()
        assert word == "set"
        encoded = mesh.encoded_endpoint(address)
        for service in map(int, services):
            self._endpoints[service][int(endpoint)] = encoded
            self._publish(service)

    def answer_events(self) -> None:
        """Everybody sees the same; a name that is not published does not exist."""
        events = self._engine.poll()
        opened = [
            Classification(event.stream, _EVERYBODY, None) for event in events if isinstance(event, Opened)
        ]
        known = set(self._names)
        absent = [
            Absent(event.type_url, event.name, event.audience, "not part of the benchmark")
            for event in events
            if isinstance(event, Demand) and event.name not in known
        ]
        if opened:
            self._engine.classify(opened)
        if absent:
            self._engine.publish(absent=absent)

    def run(self) -> None:
        """Serve until the end of standard input."""
        self._engine.set_serving(True)
        print("listening", *self._engine.start(), flush=True)
        poll = select.poll()
        poll.register(self._engine.event_fd, select.POLLIN)
        poll.register(sys.stdin, select.POLLIN)
        unfinished = b""
        try:
            while True:
                ready = {fd for fd, _ in poll.poll()}
                if self._engine.event_fd in ready:
                    self.answer_events()
                if sys.stdin.fileno() in ready:
                    data = os.read(sys.stdin.fileno(), 65536)
                    if not data:
                        return
                    *lines, unfinished = (unfinished + data).split(b"\n")
                    for line in lines:
                        self.obey(line.decode())
        finally:
            self._engine.stop()


def main() -> None:
    """With a certificate and its key the server speaks TLS."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--services", type=int, required=True)
    parser.add_argument("--endpoints", type=int, required=True)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--key", type=Path)
    given = parser.parse_args()
    tls = (given.certificate, given.key) if given.certificate else None
    EngineServer(given.services, given.endpoints, tls).run()


if __name__ == "__main__":
    main()
