"""Lines of a watch: the same whatever the chunks."""

import itertools

from hypothesis import given
from hypothesis import strategies as st

from steerway.sources.kubernetes.decode import LineSplitter, decode_event
from steerway.sources.kubernetes.event import EventType


@given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0, 200)))
def test_chunks_do_not_matter(parts: list[bytes], cuts: list[int]) -> None:
    """Any bytes, cut anywhere, give the lines of the whole."""
    stream = b"\n".join(parts) + b"\n"
    splitter = LineSplitter()
    bounds = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    results = [line for start, end in itertools.pairwise(bounds) for line in splitter.feed(stream[start:end])]
    assert results == [line for line in stream.split(b"\n") if line.strip()]


@given(st.binary(), st.sampled_from(["Service", "EndpointSlice"]))
def test_no_line_makes_the_decoder_raise(line: bytes, kind: str) -> None:
    """What is no event is a malformed one."""
    event = decode_event(kind, line)
    assert event.type is EventType.MALFORMED
    assert event.failure is not None
