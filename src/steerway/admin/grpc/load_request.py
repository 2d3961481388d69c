"""What clients that report load are asked for (LRS)."""

from envoy.service.load_stats.v3 import lrs_pb2
from google.protobuf import duration_pb2


class LoadRequest:
    """The responder to the first message of each stream of reports; the engine has seen that it has a node."""

    def __init__(self, interval_seconds: float) -> None:
        interval = duration_pb2.Duration()
        interval.FromMilliseconds(round(interval_seconds * 1000))
        # All clusters: what is not served is ignored anyway, and a list would be old with the next cluster. Localities
        # are what traffic is steered by; single endpoints would be as many rows as there are pods.
        wanted = lrs_pb2.LoadStatsResponse(
            send_all_clusters=True, load_reporting_interval=interval, report_endpoint_granularity=False
        )
        self._wanted: bytes = wanted.SerializeToString(deterministic=True)

    async def __call__(self, _message: bytes) -> bytes:
        """The same for everybody."""
        return self._wanted
