"""What was measured on a cluster, as tables."""

from bench.cluster.scenarios import Events, Rollout, Single, Start
from bench.table import Table

_STEPS = {
    "event_to_received": "PATCH made → event read by steerway",
    "received_to_published": "→ published (debounce and translation)",
    "published_to_sent": "→ handed to the client's connection",
    "sent_to_acked": "→ ACK of the client",
    "event_to_acked": "all of it",
}
_ELSEWHERE = (
    ("wongnai/xds", "15,000 for 450", "208", "145", "400", "213"),
    ("semaphore-xds", "15,000 for 450", "336", "301", "543", "184"),
)
"""The same work on another day and machine (2 shared cores): changes of one endpoint through the API server, 1,000
clients that hold 3 of 100 services of 50 endpoints each."""


def single(singles: list[Single]) -> Table:
    """Beside what is known of others that did not take part."""
    sizes = singles[0].sizes
    rows = [
        (
            item.contestant,
            f"{item.messages:,} for {item.needed:,}",
            f"{item.cpu_ms_per_change:.1f}",
            f"{item.p50_ms:.1f}",
            f"{item.p99_ms:.1f}",
            f"{item.pss_mb:.0f}",
        )
        for item in singles
    ]
    here = {item.contestant for item in singles}
    rows += [(f"{name}, another day", *rest) for name, *rest in _ELSEWHERE if name not in here]
    columns = (
        "control plane",
        "messages for changes to clients",
        "CPU ms per change",
        "p50 ms",
        "p99 ms",
        "MB",
    )
    title = (
        f"One endpoint changes in the API server ({sizes.changes} times; {sizes.services} services of"
        f" {sizes.endpoints} endpoints, {sizes.clients:,} clients that hold 3 each): from the answer to the PATCH"
        " until the client has it"
    )
    return Table(title, columns, rows)


def rollout(result: Rollout) -> list[Table]:
    """The whole, and where the time goes."""
    sizes = result.sizes
    title = (
        f"Rolling restarts: {sizes.changes:,} changes, {sizes.rate:g} per second, of {sizes.at_once} services at a time"
        f" ({sizes.services} services of {sizes.endpoints} endpoints, {sizes.clients:,} clients that hold 3 each):"
        " from before the PATCH until the client has it"
    )
    columns = (
        "control plane",
        "updates",
        "messages",
        "commits",
        "CPU ms per change",
        "of one core",
        "p50 ms",
        "p99 ms",
        "MB",
    )
    row = (
        "steerway",
        f"{result.updates:,}",
        f"{result.messages:,}",
        f"{result.commits:,}",
        f"{result.cpu_ms_per_change:.1f}",
        f"{result.cpu_share:.0%}",
        f"{result.p50_ms:.1f}",
        f"{result.p99_ms:.1f}",
        f"{result.pss_mb:.0f}",
    )
    steps = [(text, f"{result.mean_ms[step]:.1f}") for step, text in _STEPS.items()]
    return [
        Table(title, columns, [row]),
        Table("Its steps (steerway_change_latency_seconds)", ("step", "mean ms"), steps),
    ]


def events(result: Events) -> Table:
    """How fast changes go through."""
    sizes = result.sizes
    title = (
        f"A flood: {result.events:,} EndpointSlice events ({sizes.services} services of {sizes.endpoints} endpoints,"
        f" {sizes.clients} clients that hold 3 each) from a fake API server, until each client has the last state"
    )
    columns = ("control plane", "s", "events per s", "commits", "CPU µs per event")
    row = (
        "steerway",
        f"{result.seconds:.2f}",
        f"{result.events / result.seconds:,.0f}",
        f"{result.commits:,}",
        f"{result.cpu_us_per_event:.0f}",
    )
    return Table(title, columns, [row])


def start(starts: list[Start]) -> Table:
    """Whether it is linear."""
    rows = [
        (
            f"{item.sizes.services:,}",
            f"{item.seconds:.1f}",
            f"{item.seconds / item.sizes.services * 1e3:.2f}",
            f"{item.cpu_seconds:.1f}",
            f"{item.pss_mb:.0f}",
        )
        for item in starts
    ]
    title = (
        f"Start of a replica: from exec until it serves (services of {starts[0].sizes.endpoints} endpoints)"
    )
    return Table(title, ("services", "s", "ms per service", "CPU s", "MB"), rows)
