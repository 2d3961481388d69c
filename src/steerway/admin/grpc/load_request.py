"""The response to clients that report load (LRS)."""

from envoy.service.load_stats.v3 import lrs_pb2
from google.protobuf import duration_pb2


class LoadRequest:
    """The responder to the first message of each stream of reports; the engine has checked its node."""

    def __init__(self, interval_seconds: float) -> None:
        interval = duration_pb2.Duration()
        interval.FromMilliseconds(round(interval_seconds * 1000))
        # All clusters: others than ours are ignored anyway, and a list would be outdated with the next cluster.
        # Localities are the unit of traffic distribution; endpoints would be a row per pod.
        wanted = lrs_pb2.LoadStatsResponse(
            send_all_clusters=True, load_reporting_interval=interval, report_endpoint_granularity=False
        )
        self._wanted: bytes = wanted.SerializeToString(deterministic=True)

    async def __call__(self, _message: bytes) -> bytes:
        """The same response for all clients."""
        return self._wanted
