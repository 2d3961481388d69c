"""A mesh on a real engine: facts in, streams of real clients out, without files or an API server in between.

What is published is known at once, so that a test can wait until every client has acknowledged exactly that.
"""

import asyncio
from collections.abc import Iterable, Iterator
from typing import Any

from steerway.catalog.catalog import Catalog
from steerway.catalog.locality.traffic_distribution import ClientLocality
from steerway.commit import Commit
from steerway.engine.engine import Demand, Event, Nack, Withdrawn
from steerway.sources.objects.core import Object, ObjectKey
from steerway.translate.client.audience import at_locality, decode, encode
from steerway.translate.client.node import bucket_of, claimed_zone, classify
from steerway.translate.translator import Translator
from testbed.mesh import BUCKETS
from testbed.process.control_plane import ControlPlane
from testbed.process.deadline import PATIENCE_SECONDS, until
from testbed.translator_options import translator_options
from testbed.xds_server import XdsServer


class LiveMesh(XdsServer):
    """Catalog, translator and engine; `refusals` are all NACKs so far."""

    def __init__(self, **options: Any) -> None:
        self.facts: dict[ObjectKey, Object] = {}
        self.refusals: list[Nack] = []
        self._catalog = Catalog()
        self._translator = Translator(self._catalog.service, **translator_options(buckets=BUCKETS))
        super().__init__(audience=lambda node: self._audience_of(node.SerializeToString()), **options)
        self._on_loop(self._translator.start(()))

    bootstrap = ControlPlane.bootstrap

    def replace(self, objects: Iterable[Object]) -> None:
        """These are all the facts now: one commit."""
        objs = {obj.key: obj for obj in objects}
        keys = self.facts.keys() | objs.keys()
        self.facts = objs

        def change() -> Commit:
            return self._translator.refresh(self._catalog.update(self.facts.get, sorted(keys)))

        self._on_loop(change)

    def handle(self, events: list[Event]) -> None:
        """Answer demand; on the event loop."""
        self.refusals += [event for event in events if isinstance(event, Nack)]
        for event in events:
            if isinstance(event, Demand | Withdrawn):
                answer = self._translator.demand if isinstance(event, Demand) else self._translator.withdraw
                self._publish(answer([(event.type_url, event.name, event.audience)]))

    def wait_for_clients(self, streams: int) -> None:
        """Until so many streams are there and each has acknowledged, or refused, all that is published for it."""

        def settled() -> bool:
            return bool(self.refusals) or not any(self._behind(streams))

        until(settled, lambda: f"all is acknowledged, but {list(self._behind(streams))}")

    def _behind(self, streams: int) -> Iterator[str]:
        """What some client has not taken yet."""
        entries = {
            (entry.type_url, entry.name, decode(entry.audience)): entry.version
            for entry in self.engine.entries()
        }
        result = self.engine.streams(resources=True)
        if len(result) < streams:
            yield f"{len(result)} streams of {streams}"
        for stream in result:
            for part in stream.subscriptions:
                yield from (f"{name} waits" for name in part.waiting)
                for resource in part.resources:
                    keys = ((part.type_url, resource.name, at) for at in decode(stream.audience).widening())
                    version = next((entries[key] for key in keys if key in entries), "")
                    if version and (resource.version != version or resource.status != "acked"):
                        yield f"{part.type_url} {resource.name}: {resource.status} {resource.version}, not {version}"

    @staticmethod
    def _audience_of(node: bytes) -> str:
        locality = ClientLocality(claimed_zone(node))
        return encode(at_locality(classify(node, "shop"), locality, bucket_of(node, "", BUCKETS)))

    def _on_loop(self, change: Any) -> None:
        """Publish a commit, or what a function makes, between two events."""

        async def publish() -> None:
            self._publish(change() if callable(change) else change)

        asyncio.run_coroutine_threadsafe(publish(), self._loop).result(PATIENCE_SECONDS)

    def _publish(self, commit: Commit) -> None:
        if commit:
            self.engine.publish(commit)
