"""What one run of the demo does and when: every number that shapes it, in one place.

The phases are chosen so that the whole rollout falls between two DNS look-ups of the dns fleet, because
that is the case the demo is about. C-core looks up when the channel starts and then, however often it is
asked to, at most every 30 s (`grpc.dns_min_time_between_resolutions_ms`). A longer `warm_up_seconds` shows
the other case: the first stopped pod then causes a look-up at once, and the fleet keeps only the pods that
were published at that moment.
"""

from dataclasses import dataclass

from steerway.config import Settings

NAMESPACE = "shop"
SERVICE = "backend"
DNS_TTL_SECONDS = 30
"""What kubeadm and most distributions configure for CoreDNS. gRPC's C-core does not look at it."""
RESOLUTION_SECONDS = 30.0
"""C-core's least time between two DNS look-ups of one channel."""
PRE_STOP_SECONDS = 2.0
"""Time between the publication of a pod as terminating and its SIGTERM: the usual preStop sleep."""
SHORTEST_SECONDS, LONGEST_SECONDS = 15, 110
DEADLINE_SECONDS = 1.0
SHORTEST_DEADLINE_SECONDS, LONGEST_DEADLINE_SECONDS = 0.1, 10.0
FEWEST_BACKENDS, MOST_BACKENDS = 2, 20
"""20 A records with their question fit a DNS answer of 512 bytes, so that UDP is enough."""
LOWEST_RATE, HIGHEST_RATE = 10, 2000


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. Times are seconds after the first request; `rate` is requests per second of each fleet."""

    seconds: float
    backends: int
    rate: int
    warm_up_seconds: float
    pod_start_seconds: float
    """How long a new pod takes until it opens its port; so the length of the rollout is set."""
    pre_stop_seconds: float = PRE_STOP_SECONDS
    grace_seconds: float = 5.0
    """How long calls in flight may take after SIGTERM."""
    deadline_seconds: float = DEADLINE_SECONDS
    """The deadline of every request."""
    clients: int = 4
    """Channels per fleet; each resolves, connects and balances on its own."""
    balance_seconds: float = 10.0
    """Length of the last part of the run, where the balance is taken, if the rollout leaves so much."""

    @property
    def even_share(self) -> float:
        """The share of the requests that each backend answers when the load is even."""
        return 1 / self.backends


def make_plan(
    seconds: float,
    backends: int,
    rate: int,
    warm_up_seconds: float | None = None,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> Plan:
    """Spread the phases over `seconds`; the warm-up is a tenth of it (2 to 6 s) unless it is given.

    The rollout is planned to take 45 % of the run and at most 16 s. It takes longer when the machine starts
    processes more slowly than that; what it really took is measured and reported.
    """
    warm_up = min(6.0, max(2.0, seconds / 10)) if warm_up_seconds is None else warm_up_seconds
    rollout = min(16.0, 0.45 * seconds, max(0.0, seconds - warm_up))
    start = max(0.1, (rollout - PRE_STOP_SECONDS) / backends)
    return Plan(seconds, backends, rate, warm_up, start, deadline_seconds=deadline_seconds)


def service_host() -> str:
    """The DNS name of the demo's Service."""
    return f"{SERVICE}.{NAMESPACE}.svc.{Settings.cluster_domain}"
