"""Who of several replicas writes: a Lease, by the rules of client-go's leader election.

A pure value: what the API server said goes in, with the time on a monotonic clock; what to write comes out. Clocks of
replicas are never compared: whoever wants a Lease of another waits until its record has not changed for as long as it
is to last, by its own clock. Whoever holds one gives it up by itself, long before the others may take it, when it could
not renew it. So there are never two, but for writes that are on their way for longer than
`DURATION_SECONDS - RENEW_SECONDS`.

Source: client-go, tools/leaderelection (its package comment and `tryAcquireOrRenew`); API reference, Lease v1.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DURATION_SECONDS = 15
"""How long others wait after the last renewal that they saw."""
RENEW_SECONDS = 10.0
"""Who could not renew for so long does not hold it any more."""
RETRY_SECONDS = 2.0
"""Between two attempts, to renew it or to get it."""

NAME = "steerway"


def name_of(scope: Mapping[str, object]) -> str:
    """The name of the Lease that the replicas of one installation share. `scope`: the settings that limit what is
    served, those alone that are set. Installations of different scopes each write what others do not."""
    if not scope:
        return NAME
    text = json.dumps(scope, sort_keys=True, separators=(",", ":"))
    return f"{NAME}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease as the API server has it. `version` is its resourceVersion, "" for one that does not exist yet.

    Times are texts of the writer's calendar (RFC 3339): for people, never compared.
    """

    holder: str = ""
    duration_seconds: int = 0
    acquired: str | None = None
    renewed: str | None = None
    transitions: int = 0
    version: str = ""

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> "Record":
        """From a Lease; fields that are missing have no value there."""
        spec = manifest.get("spec") or {}
        return cls(
            holder=spec.get("holderIdentity") or "",
            duration_seconds=spec.get("leaseDurationSeconds") or 0,
            acquired=spec.get("acquireTime"),
            renewed=spec.get("renewTime"),
            transitions=spec.get("leaseTransitions") or 0,
            version=manifest["metadata"]["resourceVersion"],
        )

    def spec(self) -> dict[str, Any]:
        """As a Lease has it."""
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration_seconds,
            "acquireTime": self.acquired,
            "renewTime": self.renewed,
            "leaseTransitions": self.transitions,
        }


class Lease:
    """One replica's view of it. `now` is always seconds of one monotonic clock."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._observed: Record | None = None
        self._observed_at = 0.0
        self._renewed_at: float | None = None

    def held(self, now: float) -> bool:
        """Whether this replica may write."""
        return self._renewed_at is not None and now < self._renewed_at + RENEW_SECONDS

    @property
    def known(self) -> bool:
        """Whether it need not be read before the next bid: this replica wrote it last."""
        return self._observed is not None and self._renewed_at is not None

    def observe(self, record: Record, now: float) -> None:
        """It was read. Whatever changed in it, its holder is alive."""
        if record != self._observed:
            self._observed, self._observed_at = record, now
        if record.holder != self._identity:
            self._renewed_at = None

    def bid(self, now: float, calendar: str) -> Record | None:
        """What to write in order to get or keep it, with the version that it must still have; None while another has
        it."""
        seen = self._observed or Record()
        mine = seen.holder == self._identity
        if seen.holder and not mine and now < self._observed_at + seen.duration_seconds:
            return None
        return Record(
            holder=self._identity,
            duration_seconds=DURATION_SECONDS,
            acquired=seen.acquired if mine else calendar,
            renewed=calendar,
            transitions=seen.transitions if mine or not seen.version else seen.transitions + 1,
            version=seen.version,
        )

    def written(self, record: Record, sent_at: float) -> None:
        """A bid was taken, with the version that it has now. It counts from when it was sent: others may have seen it
        since."""
        self._observed, self._observed_at = record, sent_at
        self._renewed_at = sent_at

    def refused(self) -> None:
        """Somebody else was faster: it must be read. What was renewed before may still hold."""
        self._observed = None

    def release(self, calendar: str) -> Record | None:
        """What to write in order to let go of it, so that others need not wait; None if it is not held."""
        seen = self._observed
        if seen is None or self._renewed_at is None:
            return None
        self._renewed_at = None
        return Record("", 1, seen.acquired, calendar, seen.transitions, seen.version)
