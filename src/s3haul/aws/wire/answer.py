"""Takes one HTTP answer apart as its bytes come: status, headers, then the body in pieces. No I/O.

httptools parses heads and chunks. A body of known length that did not come whole with its head is read
straight into the piece that will be handed out, or past us into memory of the reader's: no byte of it is
copied again.
"""

import httptools

from s3haul.aws.wire.head import CHUNKED, LONGEST_HEAD, ViolationError, body_length, kept_headers
from s3haul.store import Piece

LARGEST_PIECE = 1 << 20  # bytes
SCRATCH = 64 * 1024
_FULL = LARGEST_PIECE - SCRATCH  # one more read still fits into a piece


class Answer:
    """The answers on one connection, one after the other: `begin`, then `buffer` and `received` as bytes come.

    `due` says that a piece may be taken. `keep_alive` holds once the answer is complete: whether another
    request may follow.
    """

    def __init__(self) -> None:
        self._bytes = bytearray(SCRATCH)
        self._scratch = memoryview(self._bytes)
        self._partial = b""  # of a head that comes in several reads
        self._interim = 0  # where the answer proper begins, behind 1xx answers
        self._fields: dict[bytes, bytes] = {}
        # Called by the parser for every header: as a bare method it costs a third.
        self.on_header = self._fields.__setitem__
        self._parser: httptools.HttpResponseParser | None = None
        self.begin(bodiless=True)
        self.complete = True

    def begin(self, *, bodiless: bool) -> None:
        """Forgets the last answer. `bodiless` for the answer to a HEAD."""
        self.status = 0
        self.headers: dict[str, str] = {}
        self._fields.clear()
        self._partial = b""
        self._interim = 0
        self.has_head = False
        self.complete = False
        self.started = False  # at least one byte has come
        self.due = False
        self.keep_alive = False
        self._bodiless = bodiless
        self._barren = 0  # bytes since the last one of a body
        self._ready: list[Piece] = []
        self._buffered = 0  # bytes in `_ready`
        self._left = 0  # bytes still to come, where the length is known
        self._view: memoryview | None = None  # what is being filled, while bytes skip the parser
        self._filled = 0
        self._direct = False
        if self._parser is None:
            self._parser = httptools.HttpResponseParser(self)

    def buffer(self) -> memoryview:
        """Where the next bytes go; never empty."""
        if not self._direct or self.complete:
            return self._scratch
        if self._view is None:
            self._view = memoryview(bytearray(min(self._left, LARGEST_PIECE)))
            self._filled = 0
        return self._view[self._filled :]

    def received(self, size: int) -> None:
        """`size` bytes are in the buffer. Raises `ViolationError`."""
        self.started = True
        if self._direct:
            self._fill(size)
        else:
            self._parse(size)

    @property
    def full(self) -> bool:
        """Whether a piece must be taken before more may come. One piece ahead is welcome: a consumer that keeps
        up never makes us stop reading, which costs system calls and, over TLS, copies."""
        return len(self._ready) > 1 if self._direct else self.due

    def take(self) -> Piece:
        """A piece, in order, at most LARGEST_PIECE; only while `due`. It may be kept."""
        ready = self._ready
        if len(ready) == 1 or self._direct:
            piece = ready.pop(0)
        else:
            piece = b"".join(ready)
            ready.clear()
        self._buffered -= len(piece)
        self.due = bool(ready)
        return piece

    def cut(self) -> None:
        """Makes what has come of the body due, though it is less than a piece."""
        if self._view is not None and self._filled:
            self._ready.append(self._view[: self._filled])
            self._buffered += self._filled
            self._view = self._view[self._filled :]
            self._filled = 0
        self.due = bool(self._ready)

    @property
    def bare(self) -> int:
        """Bytes of the body that are still to come, where nothing but these comes; else 0."""
        return self._left if self._direct else 0

    def passed(self, size: int) -> None:
        """So many of the `bare` bytes went by. To be told once all that was due has been taken, after `cut`."""
        self._left -= size
        self._view = None
        self.complete = self._left == 0

    def _fill(self, size: int) -> None:
        assert self._view is not None
        self._filled += size
        self._left -= size
        if self._filled == len(self._view):
            self._ready.append(self._view)
            self._buffered += self._filled
            self._view = None
            self.due = True
            self.complete = self._left == 0

    def _parse(self, size: int) -> None:
        assert self._parser is not None
        self._barren += size
        try:
            self._parser.feed_data(self._scratch[:size])
        except httptools.HttpParserError as error:
            self._parser = None
            if not self.complete:
                cause = error.__context__
                raise ViolationError(str(cause if isinstance(cause, ViolationError) else error)) from None
            # Bytes after the message: it is whole, and nothing may follow on this connection.
            self.keep_alive = False
        if not self.complete:
            if not self.has_head:
                self._partial += self._scratch[:size]
            if self._barren > LONGEST_HEAD:
                raise ViolationError(f"{self._barren} bytes of headers or framing without an end")
            if self._left:
                self._go_direct()

    def _go_direct(self) -> None:
        """From here on the parser sees nothing more of this body; what came with the head is a piece."""
        self._parser = None
        self._direct = True
        self.due = bool(self._ready)

    def _finish(self) -> None:
        self.complete = True
        self.due = bool(self._ready)

    # What the parser calls

    def on_headers_complete(self) -> None:
        if self.has_head:
            raise ViolationError("a second answer")
        assert self._parser is not None
        status = self._parser.get_status_code()
        head = bytearray(self._partial) + self._bytes if self._partial else self._bytes
        if status < 200:
            if status == 101:
                raise ViolationError("a switch of protocols that nobody asked for")
            self._interim = head.find(b"\r\n\r\n", self._interim) + 4
            self._fields.clear()
            return
        self.headers = kept_headers(self._fields, head, self._interim)
        length = body_length(self.headers)
        self.status = status
        self.has_head = True
        self.keep_alive = self._parser.should_keep_alive()
        if self._bodiless:
            self._parser_is_astray()
        elif length is None and status not in {204, 304}:
            if status < 300:
                raise ViolationError("neither a Content-Length nor chunks")
            self._parser_is_astray()
        elif length is not None and length != CHUNKED:
            self._left = length

    def _parser_is_astray(self) -> None:
        """The answer ends with its head, and the parser, which waits for a body, does not know."""
        self._parser = None
        self._finish()

    def on_body(self, body: bytes) -> None:
        if self.complete:
            raise ViolationError("bytes after the end of the answer")
        self._barren = 0
        self._ready.append(body)
        self._buffered += len(body)
        if self._left:
            self._left -= len(body)
        if self._buffered >= _FULL:
            self.due = True

    def on_message_complete(self) -> None:
        if self.has_head and not self.complete:
            self._finish()
