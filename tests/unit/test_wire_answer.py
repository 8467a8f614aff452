"""The answer reader without a network: the same answer however its bytes are cut, and never an early end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3haul.aws.wire.answer import LARGEST_PIECE, SCRATCH, Answer
from s3haul.aws.wire.head import ViolationError

HEAD = (
    b'HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\nETag: "e"\r\nContent-Range: bytes 0-1/2\r\n\r\n'
)


def chunked(body: bytes, size: int) -> bytes:
    cut = (body[at : at + size] for at in range(0, len(body), size))
    chunks = b"".join(b"%x;ext\r\n%s\r\n" % (len(one), one) for one in cut)
    return b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\nX: y\r\n\r\n"


def feed(answer: Answer, sent: bytes, cuts: list[int]) -> bytes:
    """Gives `sent` in pieces that end at `cuts`; takes what is due as soon as it is due."""
    body, at = b"", 0
    for end in [*sorted(cut % (len(sent) + 1) for cut in cuts), len(sent)]:
        while at < end:
            buffer = answer.buffer()
            size = min(len(buffer), end - at)
            assert size > 0
            buffer[:size] = sent[at : at + size]
            at += size
            answer.received(size)
            while answer.due:
                piece = answer.take()
                assert 0 < len(piece) <= LARGEST_PIECE
                body += bytes(piece)
    return body


cuts = st.lists(st.integers(0, 4_000_000), max_size=6)
sizes = st.sampled_from([0, 1, 4096, SCRATCH - 10, SCRATCH, SCRATCH + 1, LARGEST_PIECE, LARGEST_PIECE + 1])


@given(size=sizes, cuts=cuts, interim=st.booleans())
def test_a_body_of_known_length_is_the_same_however_it_is_cut(size, cuts, interim):
    body = bytes(range(251)) * (size // 251 + 1)
    body = body[:size]
    answer = Answer()
    for _ in range(2):  # the second on the same connection
        answer.begin(bodiless=False)
        early = b"HTTP/1.1 103 x\r\nETag: wrong\r\n\r\n" if interim else b""
        assert feed(answer, early + HEAD % size + body, cuts) == body
        assert (answer.status, answer.complete, answer.keep_alive) == (206, True, True)
        assert answer.headers == {
            "content-length": str(size),
            "etag": '"e"',
            "content-range": "bytes 0-1/2",
        }


@given(size=sizes, chunk=st.sampled_from([1000, 70_000, 2_000_000]), cuts=cuts)
def test_a_chunked_body_is_the_same_however_it_is_cut(size, chunk, cuts):
    body = (bytes(range(251)) * (size // 251 + 1))[:size]
    answer = Answer()
    for _ in range(2):
        answer.begin(bodiless=False)
        assert feed(answer, chunked(body, chunk), cuts) == body
        assert (answer.status, answer.complete, answer.keep_alive) == (200, True, True)


@given(cuts=cuts, keep=st.integers(0, 10_000))
def test_nothing_short_of_the_whole_answer_is_complete(cuts, keep):
    for sent in (HEAD % 5000 + b"x" * 5000, chunked(b"x" * 5000, 700)):
        answer = Answer()
        answer.begin(bodiless=False)
        feed(answer, sent[: keep % len(sent)], cuts)
        assert not answer.complete


@given(at=st.integers(0, 200), byte=st.integers(0, 255), cuts=cuts)
def test_a_flipped_byte_raises_nothing_but_a_violation(at, byte, cuts):
    sent = bytearray(HEAD % 50 + b"x" * 50)
    sent[at % len(sent)] = byte
    answer = Answer()
    answer.begin(bodiless=False)
    try:
        feed(answer, bytes(sent), cuts)
    except ViolationError:
        assert not answer.complete


@given(cuts)
def test_contradictions_are_found_however_the_head_is_cut(cuts):
    answer = Answer()
    answer.begin(bodiless=False)
    sent = HEAD.replace(b"ETag", b'ETag: "f"\r\nX: y\r\nETag') % 0
    with pytest.raises(ViolationError, match="etag"):
        feed(answer, sent, [cut % len(sent) for cut in cuts])


def test_a_small_body_is_one_piece_that_is_not_a_view_of_anything():
    answer = Answer()
    answer.begin(bodiless=False)
    sent = HEAD % 4096 + b"x" * 4096
    answer.buffer()[: len(sent)] = sent
    answer.received(len(sent))
    assert answer.due
    piece = answer.take()
    assert (type(piece), piece) == (bytes, b"x" * 4096)
    assert (answer.due, answer.complete) == (False, True)


def test_what_has_come_of_a_body_can_be_cut_off_and_the_rest_follows():
    answer = Answer()
    answer.begin(bodiless=False)
    body = bytes(range(256)) * 400
    sent = HEAD % len(body) + body[:1000]
    answer.buffer()[: len(sent)] = sent
    answer.received(len(sent))
    assert bytes(answer.take()) == body[:1000]  # what came with the head
    answer.buffer()[:500] = body[1000:1500]
    answer.received(500)
    assert not answer.due
    answer.cut()
    assert bytes(answer.take()) == body[1000:1500]
    answer.cut()
    assert not answer.due
    assert feed(answer, body[1500:], []) == body[1500:]
