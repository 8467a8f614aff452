"""A server that knows nothing but ListObjectsV2, of buckets that exist only as their names: `hex-1000000`.

    python benchmarks/key_server.py MILLISECONDS      prints its port; ends when its standard input does

Every answer comes after so many milliseconds; all entries of a page but for their keys are the same text, so a page
costs little more than its keys. It checks no signature, and counts what it is asked for: GET /?counts.
"""

import asyncio
import json
import sys
from collections import Counter
from functools import cache
from urllib.parse import parse_qs, quote, unquote, urlsplit

from keyspaces import Keys, keys_of

ETAG = "0123456789abcdef0123456789abcdef"
OPEN = "<Contents><Key>"
CLOSE = (
    "</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;" + ETAG + "&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType><Size>4</Size>"
    "<StorageClass>STANDARD</StorageClass></Contents>"
)
SPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
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
