"""Large bodies by libcurl (pycurl): ranges of 16 MiB over several connections,
two threads, written by position.

Nothing is verified, and a file has its name from the start. No journal, retries, resume, odd names, or
account of what was copied. `pycurl_large.py ENDPOINT BUCKET DEST CONNECTIONS`.
"""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import NamedTuple

import pycurl
from pycurl_s3 import Bucket, drive, new_curl

THREADS = 2
RANGE = 16 << 20
GATHERED = 1 << 20  # libcurl hands over 16 KiB at a time; one write an MiB costs less


class Range(NamedTuple):
    key: str
    etag: str
    file: int
    start: int
    end: int


class Copy:
    """One range after the other, through one handle."""

    def __init__(self, bucket: Bucket, waiting: "SimpleQueue[Range]") -> None:
        self._bucket, self._waiting = bucket, waiting
        self._memory = memoryview(bytearray(GATHERED))
        self._filled = 0
        self.curl = new_curl()
        self.curl.setopt(pycurl.WRITEFUNCTION, self._take)

    def begin(self) -> bool:
        try:
            self._range = self._waiting.get_nowait()
        except Empty:
            return False
        key, etag, _, self._at, end = self._range
        headers = (("if-match", etag), ("range", f"bytes={self._at}-{end - 1}"))
        self._bucket.set_request(self.curl, key, headers=headers)
        return True

    def end(self) -> None:
        self._flush()
        if self._at != self._range.end:
            raise SystemExit(f"{self._range.key}: a range that ends at {self._at}, not {self._range.end}")

    def _take(self, chunk: bytes) -> None:
        if self._filled + len(chunk) > GATHERED:
            self._flush()
        self._memory[self._filled : self._filled + len(chunk)] = chunk
        self._filled += len(chunk)

    def _flush(self) -> None:
        self._at += os.pwrite(self._range.file, self._memory[: self._filled], self._at)
        self._filled = 0


def ranges(bucket: Bucket, destination: str) -> Iterator[Range]:
    """Of all objects, whose files are made at their full size."""
    for key, size, etag in bucket.entries():
        path = Path(destination, key)
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)  # closed by the end of the process
        os.truncate(file, size)
        for start in range(0, size, RANGE):
            yield Range(key, etag, file, start, min(start + RANGE, size))


def main(endpoint: str, name: str, destination: str, connections: str) -> None:
    bucket, waiting = Bucket(endpoint, name), SimpleQueue[Range]()
    for one in ranges(bucket, destination):
        waiting.put(one)
    each = int(connections) // THREADS
    with ThreadPoolExecutor(THREADS) as threads:
        crews = [[Copy(Bucket(endpoint, name), waiting) for _ in range(each)] for _ in range(THREADS)]
        list(threads.map(drive, crews))


main(*sys.argv[1:])
