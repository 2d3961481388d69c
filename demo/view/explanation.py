"""Sentences about a run, each derived from its figures and printed only if they support it."""

from demo.measure import Balance
from demo.plan import DNS_TTL_SECONDS, RESOLUTION_SECONDS
from demo.view.outcome import Outcome, percent

_LATE_SECONDS = 0.25
"""A request sent later than this shows that the machine, not the network, shaped the figures."""
REPORTED_GAP_SECONDS = 1.0
"""A gap without success is reported if it is longer than this."""
_PINNED_OVER_EVEN = 1.2
"""The load is reported as uneven if one backend has this multiple of the even share."""


def explanation(outcome: Outcome) -> list[str]:
    """The paragraphs in the order in which they are printed."""
    return [
        _rollout(outcome),
        *_cluster_ip(outcome),
        _dns(outcome),
        *_caveats(outcome),
        *_error_texts(outcome),
    ]


def _rollout(outcome: Outcome) -> str:
    plan = outcome.plan
    if outcome.rollout_to is None:
        return (
            f"The rolling restart began at {outcome.rollout_from:.1f} s and was NOT finished when the run "
            f"ended at {plan.seconds:.0f} s: the figures show only a part of it. Give it more --seconds or "
            "fewer --backends."
        )
    return (
        f"A rolling restart (maxSurge 1, maxUnavailable 0) replaced {plan.backends} backends between "
        f"{outcome.rollout_from:.1f} and {outcome.rollout_to:.1f} s. All fleets had the same pods, the same "
        "events at the same moment in DNS, in the manifests and at the ClusterIP, and for each old pod "
        f"{plan.pre_stop_seconds:.0f} s of preStop and up to {plan.grace_seconds:.0f} s to drain."
    )


def _cluster_ip(outcome: Outcome) -> list[str]:
    figures, plan = outcome.fleet("clusterip").figures, outcome.plan
    if not (_uneven(figures.before) or _uneven(figures.after)):
        return []
    text = (
        f"The {plan.clients} clients of the clusterip fleet had {figures.before.connections} connections: "
        "kube-proxy chooses a pod at random for each new connection, and every request of the connection goes "
        f"there. One of the {plan.backends} backends answered {percent(figures.before.largest_share)} of the "
        f"requests before the restart and {percent(figures.after.largest_share)} after it; even is "
        f"{percent(plan.even_share)}."
    )
    idle = sum(not count for count in figures.after.backends.values())
    if idle and outcome.rollout_to is not None:
        text += f" {idle} of the {plan.backends} new backends answered nothing after the restart."
    return [text + " With more clients, chance spreads the connections more evenly; every run differs."]


def _uneven(balance: Balance) -> bool:
    return balance.max_over_mean is not None and balance.max_over_mean > _PINNED_OVER_EVEN


def _dns(outcome: Outcome) -> str:
    rounds = outcome.rounds()
    text = (
        f"The dns fleet asked for the addresses at {', '.join(f'{moment:.1f}' for moment in rounds)} s "
        f"(TTL {DNS_TTL_SECONDS} s, which C-core ignores). Stopped pods make it ask again, but a channel "
        f"asks at most once in {RESOLUTION_SECONDS:.0f} s."
    )
    fleet = outcome.fleet("dns")
    figures = fleet.figures
    if outcome.crowded(fleet):
        text += (
            " In between it had ever fewer of the pods that it knew: at worst one of them answered "
            f"{figures.busiest} of the {outcome.plan.rate} requests of a second."
        )
    stopped = outcome.last_old_stopped
    if stopped is None or figures.longest_gap_seconds <= REPORTED_GAP_SECONDS:
        return text
    before = [moment for moment in rounds if moment <= figures.gap_from]
    if before:
        text += (
            f" The last old pod got SIGTERM at {stopped:.1f} s; by then the addresses that the fleet "
            f"held were {stopped - before[-1]:.1f} s old."
        )
    end = "until it asked again" if figures.gap_to < outcome.plan.seconds else "until the run ended"
    return text + f" It had no success for {figures.longest_gap_seconds:.1f} s, {end}."


def _caveats(outcome: Outcome) -> list[str]:
    caveats = []
    if outcome.plan.warm_up_seconds < RESOLUTION_SECONDS:
        caveats.append(
            "The restart was placed within 30 s of the dns fleet's first look-up. Later than that, the first "
            "stopped pod makes it ask at once, and it keeps the pods of that moment for 30 s: "
            "--seconds 90 --warm-up 35 shows that case."
        )
    for fleet in outcome.fleets:
        if not any(fleet.figures.succeeded[-2:]):
            caveats.append(f"The {fleet.name} fleet had not recovered when the run ended.")
        if fleet.max_late_seconds > _LATE_SECONDS:
            caveats.append(
                f"The machine was busy: one request of the {fleet.name} fleet was sent "
                f"{fleet.max_late_seconds:.2f} s late."
            )
    return caveats


def _error_texts(outcome: Outcome) -> list[str]:
    return [
        f"First {code} of the {fleet.name} fleet: {details}"
        for fleet in outcome.fleets
        for code, details in sorted(fleet.details.items())
    ]
