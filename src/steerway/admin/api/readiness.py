"""Whether this replica is ready for clients, and the reasons why not. Called on the event loop."""

from typing import Any

from steerway.admin.view import AdminView, InformerView, StoreView


def missing(view: AdminView) -> list[str]:
    """The reasons why this replica is not ready; empty when it is."""
    reasons = [line for source in view.store.unsynced for line in _obstacles(view.store, source)]
    phase = view.phase()
    if phase == "draining":
        reasons.append("shutting down: clients are being moved to other replicas")
    elif phase == "starting" and not reasons:
        reasons.append("the first resources are being published")
    return reasons


def informers(view: AdminView) -> list[dict[str, Any]]:
    """Each informer, with the age of its last message."""
    return [_informer(informer) for informer in view.informers()]


def _informer(informer: InformerView) -> dict[str, Any]:
    return {
        "cluster": informer.cluster,
        "kind": informer.kind,
        "namespace": informer.namespace or "all",
        "synced": informer.settled,
        "silent_seconds": round(informer.silent_seconds, 1),
        "stale": informer.stale,
        "installed": informer.installed,
    }


def _obstacles(store: StoreView, source: str) -> list[str]:
    """A source that has not synced, and its problems with their hints."""
    reasons = [
        f"{p.where}: {p.reason}" + (f" ({p.hint})" if p.hint else "") for p in store.problems_of(source)
    ]
    return [f"source {source} has not synced", *reasons]
