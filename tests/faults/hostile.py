"""Answers that no honest server sends, each made from a name: the same name is always answered alike. Pure.

A name is `LANE/NUMBER`: a key, or the prefix of a listing. The answer begins as the sound one, and then a
few things go wrong with it. The checksum is that of the stored bytes in any case, or none: nobody could
find out about other bytes under their own checksum. An answer whose bytes were changed keeps its checksum
headers as they are.
"""

import base64
import random
from typing import NamedTuple

from awscrt import checksums as crt

from faults.hostile_changes import BODIES, DELIVERIES, HEADS, Draft, Ending

SIZES = (0, 1, 700, 5000, 40_000)
LARGE = 60_000  # bytes; of an object that is fetched in ranges
LONGEST_PAUSE = 0.004  # seconds between two chunks of a trickle


class Answer(NamedTuple):
    """What goes over the wire, chunk by chunk. `spoiled` says that its bytes are not the stored ones."""

    chunks: tuple[bytes, ...]
    ending: Ending
    pause: float
    spoiled: bool


class Stored(NamedTuple):
    """An object as it is stored."""

    body: bytes
    etag: str


def stored(name: str) -> Stored:
    """The object of this name."""
    dice = random.Random(f"stored {name}")
    size = LARGE if name.startswith("ranges/") else dice.choice(SIZES)
    return Stored(dice.randbytes(size), f'"{dice.getrandbits(64):016x}"')


def sound(name: str, byte_range: tuple[int, int] | None = None) -> Draft:
    """The honest answer to a GET; `byte_range` is inclusive."""
    body, etag = stored(name)
    lines = [f"ETag: {etag}".encode(), b"Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT"]
    lines += [
        b"x-amz-server-side-encryption: aws:kms",
        b"x-amz-server-side-encryption-bucket-key-enabled: true",
    ]
    if byte_range is None:
        crc = base64.b64encode(crt.crc64nvme(body).to_bytes(8, "big"))
        lines += [b"x-amz-checksum-crc64nvme: " + crc, b"x-amz-checksum-type: FULL_OBJECT"]
        status = b"HTTP/1.1 200 OK"
    else:
        first, last = byte_range
        lines.append(f"Content-Range: bytes {first}-{last}/{len(body)}".encode())
        body, status = body[first : last + 1], b"HTTP/1.1 206 Partial Content"
    return Draft(status, [*lines, f"Content-Length: {len(body)}".encode()], body)


def document(text: bytes) -> Draft:
    """The honest answer that is XML."""
    return Draft(b"HTTP/1.1 200 OK", [f"Content-Length: {len(text)}".encode()], text)


def hostile(name: str, draft: Draft) -> Answer:
    """`draft` with what goes wrong with it. An XML document is spoiled before: see `nasty`."""
    dice = random.Random(f"hostile {name} {draft.status!r}")
    kind = dice.choice(("head", "head", "head", "body", "delivery", "sound"))
    if kind == "head":
        for _ in range(dice.randint(1, 3)):
            dice.choice(HEADS)(dice, draft)
    elif kind == "body":
        draft.spoiled = True
        dice.choice(BODIES)(dice, draft)
    if kind == "delivery" or (kind != "sound" and dice.random() < 0.2):
        dice.choice(DELIVERIES)(dice, draft)
    sent = draft.wire()
    cuts = sorted(dice.randrange(len(sent) + 1) for _ in range(draft.chunks - 1))
    chunks = tuple(sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True))
    return Answer(chunks, draft.ending, dice.random() * LONGEST_PAUSE, draft.spoiled)


def honest(draft: Draft) -> Answer:
    return Answer((draft.wire(),), Ending.NEXT, 0.0, spoiled=False)
