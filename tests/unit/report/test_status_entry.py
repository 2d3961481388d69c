"""The entries of steerway in a status: their content, their changes, and those of other controllers."""

from typing import Any

import pytest

from steerway.report.status_entry import CONTROLLER, Covers, Unreadable, updated
from steerway.sources.objects.core import ObjectKey
from steerway.status.condition import Condition, ObjectStatus, Reference, TargetStatus

ROUTE = ObjectKey("GRPCRoute", "shop", "a")
POLICY = ObjectKey("TrafficPolicy", "shop", "p")
SERVER_POLICY = ObjectKey("ServerPolicy", "shop", "s")
TLS_POLICY = ObjectKey("BackendTLSPolicy", "shop", "t")
WEB = Reference("", "Service", "web", None, None, 80)
REF = {"group": "", "kind": "Service", "name": "web", "port": 80}
OTHER = {"parentRef": {"name": "ingress"}, "controllerName": "example.com/gateway", "conditions": []}
GOOD = Condition("Accepted", True, "Accepted")
BAD = Condition("Accepted", False, "Conflicted", "another one is older", "remove it")
EARLY, LATE = "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"


def everything(_: ObjectKey) -> bool:
    return True


def evaluated(*conditions: Condition, ref: Reference = WEB) -> ObjectStatus:
    return ObjectStatus(ROUTE, 3, "", (TargetStatus(ref, conditions),))


def manifest(*entries: Any, field: str = "parents", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 3}, "spec": spec, "status": {field: list(entries)}}


def written(
    present: dict[str, Any], subject: ObjectStatus | Unreadable, now: str = EARLY, covers: Covers = everything
) -> list[dict[str, Any]]:
    manifests = updated(present, subject, now, covers)
    assert manifests is not None
    return manifests


def test_an_entry_has_the_reference_as_the_spec_has_it_and_every_condition() -> None:
    """With the evaluated generation; the hint follows the message."""
    assert written({"metadata": {"generation": 3}, "spec": {}}, evaluated(BAD)) == [
        {
            "parentRef": REF,
            "controllerName": CONTROLLER,
            "conditions": [
                {
                    "type": "Accepted",
                    "status": "False",
                    "reason": "Conflicted",
                    "message": "another one is older; remove it",
                    "observedGeneration": 3,
                    "lastTransitionTime": EARLY,
                }
            ],
        }
    ]


def test_entries_of_others_are_kept_and_ours_of_what_is_gone_are_not() -> None:
    """An object with no reference to a Service has none of ours."""
    (own,) = written(manifest(), evaluated(GOOD))
    assert written(manifest(own, OTHER), evaluated(GOOD, ref=WEB._replace(port=81)))[0] == OTHER
    assert written(manifest(own, OTHER), ObjectStatus(ROUTE, 3, "")) == [OTHER]
    assert updated(manifest(OTHER), ObjectStatus(ROUTE, 3, ""), LATE, everything) is None
    assert updated(manifest(own, OTHER), evaluated(GOOD), LATE, everything) is None, "wherever it stands"


def test_a_transition_is_a_change_of_the_status_and_not_of_the_words() -> None:
    """Each condition has its own time."""
    (own,) = written(manifest(), evaluated(GOOD))
    (reworded,) = written(manifest(own), evaluated(GOOD._replace(message="in part")), LATE)
    assert reworded["conditions"][0]["lastTransitionTime"] == EARLY
    (turned,) = written(manifest(own), evaluated(BAD), LATE)
    assert turned["conditions"][0]["lastTransitionTime"] == LATE
    newer = manifest(own) | {"metadata": {"generation": 4}}
    (same,) = written(newer, evaluated(GOOD), LATE)
    assert (same["conditions"][0]["observedGeneration"], same["conditions"][0]["lastTransitionTime"]) == (
        4,
        EARLY,
    )


def test_a_list_takes_no_more_than_an_api_server_does() -> None:
    """Others were there first; a long message is cut."""
    full = [OTHER] * 32
    assert updated(manifest(*full), evaluated(GOOD), EARLY, everything) is None
    (own,) = written(manifest(), evaluated(GOOD._replace(message="x" * 50_000)))
    assert len(own["conditions"][0]["message"]) == 4096


@pytest.mark.parametrize(
    ("key", "reason"), [(ROUTE, "UnsupportedValue"), (POLICY, "Invalid"), (TLS_POLICY, "Invalid")]
)
def test_what_cannot_be_used_is_refused_for_all_that_is_ours(key: ObjectKey, reason: str) -> None:
    """Its references are taken from the object itself, since nothing else of it is known."""
    subject = Unreadable(key, "not a regular expression", "fix it")
    refs = [{"group": "", "kind": "Service", "name": "web"}, {"group": "g", "kind": "Gateway", "name": "x"}]
    if key == ROUTE:
        (entry,) = written(manifest(parentRefs=refs), subject)
        assert entry["parentRef"] == refs[0]
    else:
        (entry,) = written(manifest(field="ancestors", targetRefs=refs[:1]), subject)
        assert entry["ancestorRef"] == {**refs[0], "namespace": "shop"}
    accepted, programmed = entry["conditions"]
    assert (accepted["status"], accepted["reason"]) == ("False", reason)
    assert accepted["message"] == "not a regular expression; fix it"
    assert programmed["status"] == "False"


def test_an_unreadable_policy_without_targets_has_an_entry_about_its_namespace() -> None:
    """As one that can be read."""
    (entry,) = written(manifest(field="ancestors", tls={}), Unreadable(SERVER_POLICY, "no mode"))
    assert entry["ancestorRef"] == {"group": "", "kind": "Namespace", "name": "shop"}
    whole = TargetStatus(Reference("", "Namespace", "shop"), (GOOD,))
    (entry,) = written(manifest(field="ancestors", tls={}), ObjectStatus(SERVER_POLICY, 3, "", (whole,)))
    assert entry["ancestorRef"] == {"group": "", "kind": "Namespace", "name": "shop"}


@pytest.mark.parametrize("readable", [True, False])
def test_an_entry_about_what_is_outside_the_scope_stays(readable: bool) -> None:
    """Another installation of the same controller has written it; one about what the spec names no more goes."""
    refs = [{"group": "", "kind": "Service", "name": name} for name in ("web", "pay")]
    theirs, stale = (
        {"parentRef": ref, "controllerName": CONTROLLER, "conditions": []}
        for ref in (refs[1], refs[1] | {"name": "gone"})
    )
    subject = evaluated(BAD, ref=Reference("", "Service", "web")) if readable else Unreadable(ROUTE, "no")

    def covers(key: ObjectKey) -> bool:
        return key == ObjectKey("Service", "shop", "web")

    first, own = written(manifest(theirs, stale, parentRefs=refs), subject, covers=covers)
    assert first == theirs
    assert own["parentRef"] == refs[0]
    assert updated(manifest(own, theirs, parentRefs=refs), subject, LATE, covers) is None
