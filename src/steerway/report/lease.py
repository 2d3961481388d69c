"""The Lease that selects the writing replica, by the rules of client-go's leader election.

A pure value: responses of the API server go in, with the time on a monotonic clock; the record to write comes out.
Clocks of replicas are never compared. A replica that wants the Lease of another one waits, by its own clock, until the
record has not changed for the duration of the Lease. A holder that cannot renew it stops writing after `RENEW_SECONDS`,
before others may acquire it. So at most one replica writes, except for requests that take longer than
`DURATION_SECONDS - RENEW_SECONDS`.

Source: client-go, tools/leaderelection (its package comment and `tryAcquireOrRenew`); API reference, Lease v1.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DURATION_SECONDS = 15
"""How long others wait after the last renewal that they observed."""
RENEW_SECONDS = 10.0
"""A holder that has not renewed it for this time stops writing."""
RETRY_SECONDS = 2.0
"""Between two attempts to renew or acquire it."""

NAME = "steerway"


def name_of(scope: Mapping[str, object]) -> str:
    """The name of the Lease that the replicas of one installation share. `scope`: the settings that limit what is
    served, as far as they are set. Each installation writes the status of its own scope."""
    if not scope:
        return NAME
    text = json.dumps(scope, sort_keys=True, separators=(",", ":"))
    return f"{NAME}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Record:
    """A Lease of the API server. `version` is its resourceVersion, "" for one that does not exist yet.

    Times are RFC 3339 by the clock of the writer: for operators, never compared.
    """

    holder: str = ""
    duration_seconds: int = 0
    acquired: str | None = None
    renewed: str | None = None
    transitions: int = 0
    version: str = ""

    @classmethod
    def of(cls, manifest: dict[str, Any]) -> "Record":
        """From the manifest of a Lease."""
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
        """The `spec` of the Lease."""
        return {
            "holderIdentity": self.holder,
            "leaseDurationSeconds": self.duration_seconds,
            "acquireTime": self.acquired,
            "renewTime": self.renewed,
            "leaseTransitions": self.transitions,
        }


class Lease:
    """The state of one replica. `now` is always seconds of one monotonic clock."""

    def __init__(self, identity: str) -> None:
        self._identity = identity
        self._observed: Record | None = None
        self._observed_at = 0.0
        self._renewed_at: float | None = None

    def active(self, now: float) -> bool:
        """Whether this replica may write."""
        return self._renewed_at is not None and now < self._renewed_at + RENEW_SECONDS

    @property
    def known(self) -> bool:
        """Whether the next bid needs no read: this replica wrote the Lease last."""
        return self._observed is not None and self._renewed_at is not None

    def observe(self, record: Record, now: float) -> None:
        """The Lease was read. Any change shows that its holder is alive."""
        if record != self._observed:
            self._observed, self._observed_at = record, now
        if record.holder != self._identity:
            self._renewed_at = None

    def bid(self, now: float, calendar: str) -> Record | None:
        """The record to write in order to acquire or renew it, with the version that it must still have; None while
        another replica has it."""
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
        """A bid was accepted, with its new version. It counts from the time of sending, since others may have observed
        it from then on."""
        self._observed, self._observed_at = record, sent_at
        self._renewed_at = sent_at

    def refused(self) -> None:
        """Another replica was faster: the Lease must be read. The last renewal stays valid."""
        self._observed = None

    def release(self, seen: Record, calendar: str) -> Record | None:
        """End the use of the Lease, which was read as `seen`. Returns the record that releases it, so that others need
        not wait; None if this replica does not have it."""
        self._observed = self._renewed_at = None
        if seen.holder != self._identity:
            return None
        return Record("", 1, seen.acquired, calendar, seen.transitions, seen.version)
