"""Names that may have been meant by one that no replica knows."""

import difflib
from collections.abc import Iterable

from steerway.cli.replica.replicas import Replicas
from steerway.errors import UnknownServiceError

_MOST = 3
_CUTOFF = 0.6
SERVICES = "/api/v1/services"
CLIENTS = "/api/v1/clients"


async def unknown(
    replicas: Replicas, text: str, name: str, path: str, by: str | None = None
) -> UnknownServiceError:
    """The error for a name that is none of the list at a path, with the similar ones of all replicas. `by`: what the
    rows of the list are."""
    answers = await replicas.items(path, fields="id", by=by)
    known = {row["id"] for answer in answers.values() if isinstance(answer, dict) for row in answer["items"]}
    return UnknownServiceError(text, nearest(name, known))


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Ids with a similar part behind the namespace; those of the same namespace first."""
    namespace, slash, own = name.rpartition("/")
    ids = sorted(known, key=lambda id: (not id.startswith(namespace + slash), id))
    by_part: dict[str, list[str]] = {}
    for id in ids:
        by_part.setdefault(id.rpartition("/")[2], []).append(id)
    parts = difflib.get_close_matches(own, by_part, _MOST, _CUTOFF)
    return [id for part in parts for id in by_part[part]][:_MOST]
