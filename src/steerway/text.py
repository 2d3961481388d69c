"""Texts that quote what others wrote: bounded, and printable in one line.

Log lines, problems and reasons that may quote a client, a file or an object pass here, so that none writes lines of its
own, and none is longer than a person reads.
"""

MAX_TEXT = 512
"""Bytes of one text, in UTF-8. The engine cuts texts of clients to the same number (`engine/src/bounded.rs`)."""
ELLIPSIS = "…"


def bounded(text: str, most: int = MAX_TEXT) -> str:
    """The text in `most` bytes of UTF-8 at the most, cut between characters; those that do not print are escaped."""
    if len(text) <= most and text.isascii() and text.isprintable():
        return text
    pieces, size = [], 0
    for character in text[: most + 1]:
        piece = character if character.isprintable() else character.encode("unicode_escape").decode()
        pieces.append(piece)
        size += len(piece.encode())
    if size <= most:
        return "".join(pieces)
    while size > most - len(ELLIPSIS.encode()):
        size -= len(pieces.pop().encode())
    return "".join(pieces) + ELLIPSIS
