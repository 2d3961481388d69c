"""The state of this replica in one object."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

import msgspec

import steerway
from steerway.admin.api import readiness
from steerway.admin.api.type_name import short_name
from steerway.admin.view import AdminView
from steerway.inventory.client_rows import rounded
from steerway.inventory.row.status import ChangesStatus, InformerRow, StatusRow

_STARTED = time.monotonic()


def prepare(view: AdminView) -> Callable[[], StatusRow]:
    """Read on the event loop what only it may read; the function returns the row, and is to be called in a thread."""
    missing, phase, problems = readiness.missing(view), view.phase(), len(view.problems())
    informers = msgspec.convert(readiness.informers(view), list[InformerRow])

    def read() -> StatusRow:
        stats = view.engine.stats()
        states = view.inventory.state_counts()
        last_id = view.journal.last_id
        config_age = view.journal.changed_seconds
        if config_age is None:
            config_age = view.inventory.config_age_seconds
        return StatusRow(
            replica=view.replica,
            version=steerway.__version__,
            phase=phase,
            ready=not missing,
            missing=missing,
            age_seconds=round(time.monotonic() - _STARTED, 3),
            time=datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            config_age_seconds=rounded(config_age),
            services=len(view.inventory.service_ids()),
            workloads=len(view.inventory.index.workloads()),
            streams=sum(states.values()),
            states={str(state): count for state, count in states.items()},
            resources={short_name(url): count for url, count in sorted(stats.resources.items())},
            problems=problems,
            informers=informers,
            refused=dict(sorted(stats.refused.items())),
            oldest_unacked_seconds=rounded(stats.oldest_unacked_seconds),
            absent=stats.absent,
            changes=ChangesStatus(str(last_id) if last_id else None),
        )

    return read
