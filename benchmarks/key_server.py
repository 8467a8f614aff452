"""A server for ListObjectsV2 only, of buckets whose keys are computed from the bucket's name: `hex-1000000`.

    python benchmarks/key_server.py MILLISECONDS      prints its port; ends when its standard input does

Every response is sent after so many milliseconds. All entries of a page are the same text except for their
keys, so a page costs little CPU. It checks no signature, and counts the requests and the keys that it sent:
GET /?counts.
"""

import asyncio
import json
import random
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from urllib.parse import parse_qs, quote, unquote, urlsplit

ETAG = "0123456789abcdef0123456789abcdef"
OPEN = "<Contents><Key>"
CLOSE = (
    "</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;" + ETAG + "&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>4</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
HOT = 0.9  # of the keys of `hot` lie under one prefix
_SPACE = 1 << 64
# Controls, accents, Cyrillic, Japanese, Chinese, Korean, private use, beyond the first plane.
_UNICODE = "\x01\x1f aZ09-_/~éßабвгдежзий日本語漢字中文数据한국어\ue000\uf8ff\ufffd😀🚀𠀀𠀁\U000e0001"


@dataclass(frozen=True, slots=True)
class Keys:
    """`count` keys in the order of UTF-8; `one` makes the key at a place,
    `sent` as a listing sends it: URL-encoded."""

    count: int
    one: Callable[[int], str]
    sent: Callable[[int], str]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, place: int) -> str:
        return self.one(place)

    def after(self, key: str) -> int:
        """The place of the first key behind `key`."""
        return bisect_right(self, key)

    def span(self, prefix: str) -> tuple[int, int]:
        """The places of the keys that begin with `prefix`, which is empty or ends in ASCII."""
        if not prefix:
            return 0, self.count
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        return bisect_left(self, prefix), bisect_left(self, end)

    def encoded(self, first: int, end: int) -> list[str]:
        return list(map(self.sent, range(first, end)))


def plain(count: int, one: Callable[[int], str]) -> Keys:
    """Keys that no encoding changes."""
    return Keys(count, one, one)


def sequential(count: int) -> Keys:
    return plain(count, "obj-{:012d}".format)


def hexadecimal(count: int) -> Keys:
    """32 digits each, spread evenly, with some noise."""
    step = _SPACE // count

    def one(place: int) -> str:
        noise = place * 0x9E3779B97F4A7C15 % _SPACE
        return f"{place * step + noise % step:016x}{noise:016x}"

    return plain(count, one)


def prefixes(count: int) -> Keys:
    """Ten keys in each."""
    return plain(count, lambda place: f"p{place // 10:06d}/{place % 10:06d}.json")


def hot(count: int) -> Keys:
    """Most below one prefix, the rest below a thousand others before it."""
    few = round(count * (1 - HOT))
    each = max(1, few // 1000)

    def one(place: int) -> str:
        if place < few:
            return f"a{place // each:04d}/{place % each:06d}"
        return f"logs/2026/{place - few:012d}"

    return plain(count, one)


def unicode_keys(count: int) -> Keys:
    dice = random.Random(17)
    keys: set[str] = set()
    while len(keys) < count:
        keys.update("".join(dice.choices(_UNICODE, k=dice.randint(3, 20))) for _ in range(count - len(keys)))
    ordered: Sequence[str] = sorted(keys)
    return Keys(count, ordered.__getitem__, [quote(key) for key in ordered].__getitem__)


KEYSPACES: dict[str, Callable[[int], Keys]] = {
    "sequential": sequential,
    "hex": hexadecimal,
    "hot": hot,
    "prefixes": prefixes,
    "unicode": unicode_keys,
}


def keys_of(bucket: str) -> Keys:
    """The keys of a bucket by its name, such as `hex-1000000`."""
    kind, _, count = bucket.partition("-")
    return KEYSPACES[kind](int(count))


counts: Counter[str] = Counter()
bucket_keys = cache(keys_of)


class Connection(asyncio.Protocol):
    """One keep-alive connection, one request at a time."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._received = b""
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while b"\r\n\r\n" in self._received:
            request, _, self._received = self._received.partition(b"\r\n\r\n")
            method, target = request.decode().split(" ", 2)[:2]
            asyncio.get_running_loop().call_later(self._delay, self._answer, method, target)

    def _answer(self, method: str, target: str) -> None:
        url = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        status, body = "200 OK", b""
        if "counts" in query:
            body = json.dumps(counts).encode()
            counts.clear()
        elif method == "GET" and "location" in query:
            body = f'<LocationConstraint xmlns="{SPACE}"></LocationConstraint>'.encode()
        elif method == "GET":
            body = page(unquote(url.path.strip("/")), query)
        head = (
            f"HTTP/1.1 {status}\r\nServer: AmazonS3\r\nx-amz-request-id: 0A1B2C3D4E5F6789\r\n"
            f"x-amz-bucket-region: us-east-1\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._transport.writelines((head.encode(), body))


def page(bucket: str, query: dict[str, str]) -> bytes:
    """One page of the listing."""
    keys = bucket_keys(bucket)
    prefix, size = query.get("prefix", ""), min(1000, int(query.get("max-keys", "1000")))
    first, end = keys.span(prefix)
    if token := query.get("continuation-token"):
        first = int(token)
    elif start_after := query.get("start-after"):
        first = max(first, keys.after(start_after))
    last = min(first + size, end)
    more = last < end
    counts.update(requests=1, keys=max(0, last - first), empty=last <= first)
    entries = _entries(keys, first, last)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="{SPACE}"><Name>{bucket}</Name>'
        f"<Prefix>{quote(prefix)}</Prefix><KeyCount>{max(0, last - first)}</KeyCount><MaxKeys>{size}</MaxKeys>"
        f"<EncodingType>url</EncodingType><IsTruncated>{str(more).lower()}</IsTruncated>"
        f"{f'<NextContinuationToken>{last}</NextContinuationToken>' if more else ''}{entries}</ListBucketResult>"
    ).encode()


def _entries(keys: Keys, first: int, last: int) -> str:
    if last <= first:
        return ""
    return OPEN + (CLOSE + OPEN).join(keys.encoded(first, last)) + CLOSE


async def serve(delay: float) -> None:
    """Until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(delay), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1]) / 1000))
