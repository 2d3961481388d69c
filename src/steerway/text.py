"""Texts that quote what others wrote: bounded, and printable in one line.

Log lines, problems and reasons that may quote a client, a file or an object pass here, so that none writes lines of its
own, and none is longer than a person reads.
"""

from collections.abc import Iterable

MAX_TEXT = 512
"""Bytes of one text, in UTF-8. The engine cuts texts of clients to the same number (`engine/src/wire/text.rs`)."""
ELLIPSIS = "…"


def bounded(text: str, most: int = MAX_TEXT) -> str:
    """The text in `most` bytes of UTF-8 at the most; characters that do not print are escaped.

    Of a longer one the beginning and the end are kept: what is wrong often stands behind what is quoted.
    """
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    if len(text) <= most:
        whole = "".join(map(_printable, text))
        if len(whole.encode()) <= most:
            return whole
    room = most - len(ELLIPSIS.encode())
    head, tail = _pieces(text, room // 2), _pieces(reversed(text), room - room // 2)
    return "".join((*head, ELLIPSIS, *reversed(tail)))


def _printable(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()


def _pieces(characters: Iterable[str], most: int) -> list[str]:
    """The first of them, as they are shown, in `most` bytes."""
    pieces = []
    for piece in map(_printable, characters):
        most -= len(piece.encode())
        if most < 0:
            break
        pieces.append(piece)
    return pieces
