"""Suggestions for unknown names."""

import difflib
from collections.abc import Iterable


def nearest(unknown: str, known: Iterable[str]) -> str:
    """`: did you mean X?` with the most similar known name, or "" if none is similar.

    A key in the wrong section is similar: `namespaces` suggests `kubernetes.namespaces`.
    """
    names = sorted(known)
    moved = [name for name in names if name.rpartition(".")[2] == unknown.rpartition(".")[2]]
    folded = {name.replace("_", "").lower(): name for name in reversed(names)}
    close = difflib.get_close_matches(unknown.replace("_", "").lower(), folded, n=1, cutoff=0.6)
    guess = moved[0] if moved else folded[close[0]] if close else None
    return f": did you mean {guess}?" if guess else ""
