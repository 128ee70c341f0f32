"""Where a request ends is known from its bytes, in whatever pieces they come."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from survey.cli import arrivals
from survey.cli.arrivals import Arrival

HEAD = b"POST /feedback HTTP/1.1\r\nHost: localhost\r\n"
WHOLE = {
    "without a body": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "with a length": HEAD + b"content-length:  11\r\n\r\nrating-1=4\r\n"[:-1],
    "with an empty body": HEAD + b"Content-Length: 0\r\n\r\n",
    "in chunks": HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n3;x=y\r\nabc\r\n0\r\n\r\n",
    "in chunks with a trailer": HEAD + b"Transfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
}


@given(
    st.sampled_from(sorted(WHOLE)), st.lists(st.integers(1, 40)), st.sampled_from([b"", b"G", b"GET / HTTP/1.1\r\n"])
)
def test_a_request_is_whole_with_its_last_byte_and_not_before(kind, sizes, behind):
    request = WHOLE[kind]
    arrival, at = Arrival(), 0
    for size in [*sizes, len(request)]:
        piece = request[at : min(at + size, len(request) - 1)]
        at += len(piece)
        arrival.add(piece)
        assert not arrival.is_whole
    arrival.add(request[at:] + behind)
    assert arrival.is_whole
    assert not arrival.is_cut
    assert arrival.taken() == (request, behind)


@given(st.binary(max_size=300), st.integers(0, 300))
def test_nonsense_in_pieces_is_what_it_is_as_a_whole(content, cut):
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    pieces, whole = Arrival(begun), Arrival(begun + content)
    pieces.add(content[:cut])
    if not pieces.is_whole:
        pieces.add(content[cut:])
        assert (pieces.is_whole, pieces.refusal) == (whole.is_whole, whole.refusal)


def test_a_body_that_is_too_large_is_not_waited_for():
    arrival = Arrival(HEAD + b"Content-Length: %d\r\n\r\n" % (arrivals.LARGEST_BODY + 1))
    assert (arrival.is_whole, arrival.is_cut) == (True, True)


def test_chunks_that_are_too_many_or_too_large_end_it():
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    assert Arrival(begun + b"%x\r\n" % arrivals.LARGEST).refusal.startswith("413")
    many = Arrival(begun)
    for _ in range(arrivals.LARGEST // 60_000 + 1):
        many.add(b"1\r\nx\r\n" * 10_000)
    assert many.refusal.startswith("413")


def test_what_makes_no_sense_is_not_waited_for():
    for lines in (
        b"Content-Length: 5\r\nContent-Length: 6\r\n",
        b"Content-Length: five\r\n",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        b"Content-Length: " + b"9" * 30 + b"\r\n",
    ):
        assert Arrival(HEAD + lines + b"\r\n").is_whole
    assert Arrival(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n").is_whole
    assert Arrival(b"x" * (arrivals.LARGEST_HEAD + 1)).refusal.startswith("431")
