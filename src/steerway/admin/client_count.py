"""The open streams by library and version of their client, as a metric."""

from collections import Counter

from steerway import telemetry
from steerway.translate.client.client import Client

_MOST_VERSIONS = 100
"""Series of the metric: clients choose what their Node names, and each series costs memory here and in Prometheus."""
_OTHER = "other"

_Labels = tuple[str, str]


class ClientCount:
    """Counts admitted streams. A client without a known version counts as `unknown`; versions beyond the limit as
    `other`."""

    def __init__(self) -> None:
        self._streams: dict[int, _Labels] = {}
        self._counts: Counter[_Labels] = Counter()

    def open(self, stream: int, client: Client) -> None:
        """Count a stream."""
        version = "unknown" if client.version is None else f"{client.version[0]}.{client.version[1]}"
        labels = (client.library.value, version)
        if labels not in self._counts and len(self._counts) >= _MOST_VERSIONS:
            labels = (client.library.value, _OTHER)
        self._streams[stream] = labels
        self._counts[labels] += 1
        telemetry.CLIENT_STREAMS.labels(*labels).set(self._counts[labels])

    def close(self, stream: int) -> None:
        """A stream ended, admitted or not."""
        labels = self._streams.pop(stream, None)
        if labels is None:
            return
        self._counts[labels] -= 1
        if self._counts[labels]:
            telemetry.CLIENT_STREAMS.labels(*labels).set(self._counts[labels])
        else:
            del self._counts[labels]
            telemetry.CLIENT_STREAMS.remove(*labels)
