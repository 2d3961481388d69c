"""Settings of the debouncer between the sources and the catalog."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import Seconds


@dataclass(frozen=True, kw_only=True)
class DebounceSettings:
    """How long changes are collected before they are translated and sent together.

    Translation starts when no change has arrived for the quiet time, and at the latest when the first change has waited
    for the maximum. With a quiet time of 0 each change is sent by itself.
    """

    endpoint_quiet_seconds: Annotated[
        Seconds, Meta(title="Quiet time for EndpointSlices and changes of files")
    ] = 0.005
    """Quiet time in seconds for EndpointSlices and for changes of files. Short, because calls to a stopped pod fail;
    not 0, because the slices of one rollout step arrive within a few milliseconds."""

    endpoint_max_seconds: Annotated[
        Seconds, Meta(title="Longest delay of EndpointSlices and changes of files")
    ] = 0.05
    """Longest delay in seconds of EndpointSlices and of changes of files, however many changes arrive."""

    quiet_seconds: Annotated[Seconds, Meta(title="Quiet time for all other kinds")] = 0.05
    """Quiet time in seconds for all other kinds of an API server. Users and deployments change these in groups that
    belong together: linked objects that arrive within this time are sent in one commit."""

    max_seconds: Annotated[Seconds, Meta(title="Longest delay of all other kinds")] = 0.5
    """Longest delay in seconds of all other kinds, ten quiet times."""
