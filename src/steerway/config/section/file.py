"""Settings of the source that reads manifest files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from steerway.config.unit import PositiveSeconds, Seconds, Switch


@dataclass(frozen=True, kw_only=True)
class FileSettings:
    """Manifest files as a source of Services, endpoints and raw xDS resources."""

    files: Annotated[
        tuple[Path, ...],
        Meta(
            title="Directory or file of manifests, watched for changes (repeatable)",
            description="a list of files and directories",
            extra={"metavar": "DIR", "unset": "no files"},
        ),
    ] = ()
    """Files and directories of manifests, raw xDS resources and mappings, watched for changes. Relative to the working
    directory. If the API server has the same object, the file takes precedence and the other object is reported as a
    problem."""

    files_optional: Annotated[Switch, Meta(title="Wait for a path of --files that does not exist")] = False
    """Whether to wait at the start for a path of `files` that does not exist, such as a volume that is mounted late.
    `files_sync_timeout_seconds` bounds the wait. Off: a missing path ends the process with exit code 2."""

    files_sync_timeout_seconds: Annotated[
        Seconds, Meta(title="Longest wait at the start for files that cannot be read")
    ] = 60.0
    """Seconds that a start waits, and is not ready, [while a file cannot be read](guide.md#a-start-with-broken-files)
    or none of its objects can be parsed. A rollout with a broken mount stops meanwhile, and the old replicas serve.
    Then everything else is served, and the file stays a problem. 0: do not wait."""

    state_dir: Annotated[
        Path | None,
        Meta(
            title="Directory for the last valid objects of files",
            description="the path of a directory",
            extra={"metavar": "DIR", "unset": "nothing is stored"},
        ),
    ] = None
    """Directory that stores the [last valid objects](guide.md#a-start-with-broken-files) of `files`, so that a file
    that breaks while no process runs is served after a restart as before. Each replica needs its own; a missing
    directory is created; the file in it has mode 0600. Without it, a restart serves what can be read."""

    state_max_age_seconds: Annotated[PositiveSeconds, Meta(title="Longest use of objects of --state-dir")] = (
        86400.0
    )
    """Seconds after an object was last read from its file, after which a restart does not use it from `state_dir`. One
    day is enough to repair a file; older endpoints have probably changed."""
