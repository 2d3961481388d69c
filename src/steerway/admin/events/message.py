"""Messages of the stream (WHATWG HTML, 9.2.6: the `text/event-stream` format)."""

from collections.abc import Sequence

import msgspec

KEEP_ALIVE = b": keep-alive\n\n"


def message(topic: str, number: int, data: bytes) -> bytes:
    """One message. `data` is JSON, which has no line breaks outside of strings, and none in them."""
    return b"event: %b\nid: %d\ndata: %b\n\n" % (topic.encode(), number, data)


def rows(put: Sequence[bytes], remove: Sequence[str] = (), *, reset: bool = False) -> bytes:
    """The data of a message with encoded rows. `reset`: they are all."""
    return b'{"reset":%b,"put":[%b],"remove":%b}' % (
        b"true" if reset else b"false",
        b",".join(put),
        msgspec.json.encode(remove),
    )
