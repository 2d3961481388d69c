"""Answers of an API server as values: pages of a list, events of a watch, and failures.

Between them and HTTP stand `client.py` and `decode.py`; `watcher.py` decides what they mean.
"""

import enum
from dataclasses import dataclass
from typing import TypeAlias

from steerway.sources.objects.certificate_request import PodCertificateRequest
from steerway.sources.objects.core import Attached, EndpointSlice, Namespace, Node, ObjectKey, Pod, Service

WatchedObject: TypeAlias = Namespace | Service | EndpointSlice | Pod | Node | PodCertificateRequest | Attached


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a list or event: good (`value`) or bad (with a `reason`; `key` as far as it could be
    read)."""

    key: ObjectKey | None
    value: WatchedObject | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `continue_token` is empty on the last one."""

    items: tuple[Item, ...]
    resource_version: str
    continue_token: str = ""


SILENT = "silent"
"""The reason of a watch that gave neither an event nor a bookmark for too long."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A request or a watch that failed.

    `status` is the HTTP code, or that of a Status object in the stream; None when there was no answer at all.
    `retry_after_seconds` is what the server asked for, 0 when it asked for nothing.
    """

    status: int | None
    reason: str
    message: str = ""
    retry_after_seconds: float = 0.0

    @property
    def expired(self) -> bool:
        """The resourceVersion or the continue token is older than what the server remembers (410 Gone)."""
        return self.status == 410 or self.reason in ("Expired", "Gone")

    def __str__(self) -> str:
        head = self.reason if self.status is None else f"{self.status} {self.reason}".rstrip()
        return f"{head}: {self.message}" if self.message else head


class EventType(enum.Enum):
    """Types of a watch event (API concepts, "Efficient detection of changes")."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    ERROR = "ERROR"
    MALFORMED = "MALFORMED"
    """Not of the API: a line that could not be read, so that a change may have been lost."""


@dataclass(frozen=True, slots=True)
class Event:
    """One line of a watch. `item` with ADDED, MODIFIED and DELETED; `failure` with ERROR and MALFORMED."""

    type: EventType
    resource_version: str = ""
    item: Item | None = None
    failure: Failure | None = None
