"""An answer in the making, and everything that can go wrong with it, one function each. Pure.

`HEADS` spoil what is above the body, `BODIES` the body or its framing, `DELIVERIES` how it is sent. The
checksum headers of an answer that `BODIES` change stay as they are.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from faults.nasty import BYTES, CHECKSUMS, DATES, NUMBERS, STATUS_LINES, WORDS, spoiled_document


class Ending(Enum):
    """What the server does once an answer is sent."""

    NEXT = auto()  # reads the next request
    CLOSE = auto()
    RESET = auto()
    SILENCE = auto()  # waits for the client to lose its patience


@dataclass
class Draft:
    """An answer in the making; `lines` are headers without their line ends."""

    status: bytes
    lines: list[bytes]
    body: bytes
    before: bytes = b""
    behind: bytes = b""
    line_end: bytes = b"\r\n"
    cut: float | None = None  # the share that is sent
    chunks: int = 1
    ending: Ending = Ending.NEXT
    spoiled: bool = False

    def replace(self, name: bytes, value: bytes) -> None:
        """The header with another value; added where there is none."""
        self.drop(name)
        self.lines.append(name + b": " + value)

    def drop(self, name: bytes) -> None:
        self.lines = [line for line in self.lines if not line.lower().startswith(name.lower() + b":")]

    def wire(self) -> bytes:
        head = self.line_end.join([self.status, *self.lines, b"", b""])
        sent = self.before + head + self.body + self.behind
        return sent if self.cut is None else sent[: int(len(sent) * self.cut)]


Change = Callable[[random.Random, Draft], None]


def _at(dice: random.Random, draft: Draft, change: Callable[[bytes], bytes]) -> None:
    if draft.lines:
        place = dice.randrange(len(draft.lines))
        draft.lines[place] = change(draft.lines[place])


def _insert(dice: random.Random, draft: Draft, *lines: bytes) -> None:
    place = dice.randint(0, len(draft.lines))
    draft.lines[place:place] = lines


def _broken_status(dice: random.Random, draft: Draft) -> None:
    draft.status = dice.choice(STATUS_LINES)


def _odd_status(dice: random.Random, draft: Draft) -> None:
    draft.status = b"HTTP/1.1 %d Odd" % dice.choice(
        (101, 201, 204, 206, 299, 301, 307, 304, 403, 404, 412, 500, 600, 999)
    )
    if dice.random() < 0.5:
        draft.body = spoiled_document(dice, b"<Error><Code>NoSuchKey</Code><Message>no</Message></Error>")
        draft.replace(b"Content-Length", b"%d" % len(draft.body))


def _drop(dice: random.Random, draft: Draft) -> None:
    if draft.lines:
        draft.lines.pop(dice.randrange(len(draft.lines)))


def _no_colon(dice: random.Random, draft: Draft) -> None:
    _at(dice, draft, lambda line: line.replace(b":", b"", 1))


def _space_before_colon(dice: random.Random, draft: Draft) -> None:
    _at(dice, draft, lambda line: line.replace(b":", dice.choice((b" :", b"\t:", b"\0:", b"::")), 1))


def _folded(dice: random.Random, draft: Draft) -> None:
    _at(dice, draft, lambda line: line.replace(b": ", dice.choice((b":\r\n ", b":\r\n\t", b": x\r\n ")), 1))


def _repeated(dice: random.Random, draft: Draft) -> None:
    line = dice.choice(draft.lines or [b"X: y"])
    other = line if dice.random() < 0.3 else line[: line.find(b":") + 1] + b" " + dice.choice(WORDS)
    _insert(dice, draft, *[other] * dice.choice((1, 1, 2, 50)))


def _huge(dice: random.Random, draft: Draft) -> None:
    name = dice.choice((b"X", b"ETag", b"Content-Length", b"x-amz-checksum-sha256", b"x-amz-version-id"))
    _insert(
        dice,
        draft,
        name + b": " + dice.choice((b"9", b"x", b"\xff", b" ")) * dice.choice((2000, 90_000, 400_000)),
    )


def _many(dice: random.Random, draft: Draft) -> None:
    _insert(dice, draft, *[b"X-%d: y" % number for number in range(dice.choice((100, 6000)))])


def _bytes_inside(dice: random.Random, draft: Draft) -> None:
    place = dice.random()
    nasty = dice.choice(BYTES)
    _at(dice, draft, lambda line: line[: int(len(line) * place)] + nasty + line[int(len(line) * place) :])


def _flipped_bits(dice: random.Random, draft: Draft) -> None:
    def flip(line: bytes) -> bytes:
        changed = bytearray(line)
        for _ in range(min(3, len(changed))):
            changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
        return bytes(changed)

    _at(dice, draft, flip)


def _noise(dice: random.Random, draft: Draft) -> None:
    _insert(dice, draft, dice.randbytes(dice.choice((1, 20, 3000))))


def _line_ends(dice: random.Random, draft: Draft) -> None:
    draft.line_end = dice.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\0\r\n"))


def _lying_length(dice: random.Random, draft: Draft) -> None:
    near = b"%d" % max(0, len(draft.body) + dice.choice((-1, 1, 7, 100_000)))
    draft.replace(b"Content-Length", dice.choice((near, near, dice.choice(NUMBERS))))


def _wrong_range(dice: random.Random, draft: Draft) -> None:
    size = len(draft.body)
    number = dice.choice(NUMBERS)
    ranges = (b"bytes 0-%d/%d" % (size - 1, size), b"bytes */%d" % size, b"bytes 1-0/*", b"bytes " + number)
    ranges += (b"bytes %s-%s/%s" % (number, number, number), b"items 0-1/2", dice.choice(WORDS))
    draft.replace(b"Content-Range", dice.choice(ranges))


def _wrong_etag(dice: random.Random, draft: Draft) -> None:
    draft.replace(b"ETag", dice.choice(WORDS))


def _wrong_checksum(dice: random.Random, draft: Draft) -> None:
    algorithm = dice.choice(
        (b"crc64nvme", b"crc32", b"crc32c", b"sha1", b"sha256", b"md5", b"xxhash3", b"rot13", b"")
    )
    draft.replace(b"x-amz-checksum-" + algorithm, dice.choice(CHECKSUMS))
    if dice.random() < 0.5:
        draft.replace(
            b"x-amz-checksum-type", dice.choice((b"COMPOSITE", b"FULL_OBJECT", b"", b"composite", b"\xff"))
        )


def _odd_value(dice: random.Random, draft: Draft) -> None:
    name = dice.choice(
        (
            b"x-amz-server-side-encryption",
            b"x-amz-server-side-encryption-aws-kms-key-id",
            b"x-amz-server-side-encryption-customer-algorithm",
            b"x-amz-mp-parts-count",
            b"x-amz-version-id",
            b"x-amz-storage-class",
            b"x-amz-restore",
            b"x-amz-bucket-region",
            b"x-amz-request-id",
            b"Location",
            b"Content-Encoding",
            b"Transfer-Encoding",
            b"Connection",
        )
    )
    draft.replace(name, dice.choice((*WORDS, *NUMBERS)))


def _odd_date(dice: random.Random, draft: Draft) -> None:
    draft.replace(dice.choice((b"Last-Modified", b"Date", b"Retry-After")), dice.choice(DATES))


HEADS: tuple[Change, ...] = (
    _broken_status, _odd_status, _drop, _no_colon, _space_before_colon, _folded, _repeated, _huge, _many,
    _bytes_inside, _flipped_bits, _noise, _line_ends, _lying_length, _wrong_range, _wrong_etag, _wrong_checksum,
    _wrong_checksum, _odd_value, _odd_value, _odd_date, _odd_date,
)  # fmt: skip


def _other_bytes(dice: random.Random, draft: Draft) -> None:
    changed = bytearray(draft.body)
    if changed:
        changed[dice.randrange(len(changed))] ^= 1 << dice.randrange(8)
    draft.body = bytes(changed) if dice.random() < 0.7 else bytes(len(changed))


def _other_size(dice: random.Random, draft: Draft) -> None:
    shorter, longer = draft.body[: dice.randint(0, len(draft.body))], draft.body + dice.randbytes(9)
    draft.body = dice.choice((shorter, longer))
    draft.replace(b"Content-Length", b"%d" % len(draft.body))


def _chunks(dice: random.Random, draft: Draft) -> None:
    """Chunks, most of them not as they should be."""
    draft.drop(b"Content-Length")
    draft.replace(b"Transfer-Encoding", dice.choice((b"chunked", b"chunked", b"Chunked", b"gzip, chunked")))
    sent, left = b"", draft.body
    while left:
        chunk, left = left[: (size := dice.randint(1, len(left)))], left[size:]
        told = b"%x" % (size if dice.random() < 0.7 else dice.randrange(1 << 20))
        garbage = dice.choice((b"", b"", b"", b";x=" + b"y" * 20_000, b" ", b"\0", b"zz", b"-", b"f" * 30))
        sent += told + garbage + dice.choice((b"\r\n", b"\r\n", b"\r\n", b"\n")) + chunk
        sent += dice.choice((b"\r\n", b"\r\n", b"\r\n", b"", b"\n", b"xx"))
    trailer = dice.choice(
        (b"\r\n", b"\r\n", b"X: y\r\n" * 3000 + b"\r\n", b'ETag: "x"\r\n\r\n', b"\0", b"nonsense\r\n\r\n")
    )
    draft.body = sent + dice.choice((b"0\r\n", b"0\r\n", b"00000\r\n", b"-0\r\n", b"")) + trailer


BODIES: tuple[Change, ...] = (_other_bytes, _other_bytes, _other_size, _chunks, _chunks)


def _cut(dice: random.Random, draft: Draft) -> None:
    draft.cut = dice.random()
    draft.ending = dice.choice((Ending.CLOSE, Ending.CLOSE, Ending.RESET, Ending.RESET, Ending.NEXT))


def _end(dice: random.Random, draft: Draft) -> None:
    draft.ending = dice.choice((Ending.CLOSE, Ending.RESET))


def _silence(dice: random.Random, draft: Draft) -> None:
    """Rare, since it takes the client a second to give up."""
    if dice.random() < 0.2:
        draft.cut, draft.ending = dice.random(), Ending.SILENCE


def _trickle(dice: random.Random, draft: Draft) -> None:
    draft.chunks = dice.randint(2, 9)


def _extra(dice: random.Random, draft: Draft) -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"
    draft.behind = dice.choice((smuggled, b"\0", b"\r\n", dice.randbytes(3000)))


def _interim(dice: random.Random, draft: Draft) -> None:
    one = dice.choice(
        (b"100 Continue\r\n", b'103 Early Hints\r\nETag: "early"\r\n', b"102 x\r\nContent-Length: 3\r\n")
    )
    draft.before = (b"HTTP/1.1 " + one + b"\r\n") * dice.choice((1, 3, 5000))


DELIVERIES: tuple[Change, ...] = (_cut, _cut, _end, _silence, _trickle, _extra, _interim)
