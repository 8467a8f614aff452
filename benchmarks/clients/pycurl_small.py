"""Whole small objects by libcurl (pycurl): what one thread of Python can do, and little more than the copy.

CRC64NVME checked, temporary file, rename. No journal, retries, resume, odd names, other checksums, or account
of what was copied. `pycurl_small.py ENDPOINT BUCKET DEST CONNECTIONS`.
"""

import base64
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pycurl
from awscrt.checksums import crc64nvme
from pycurl_s3 import Bucket, Entry, drive, new_curl

CHECKSUM = b"x-amz-checksum-crc64nvme:"


class Copy:
    """One object after the other, through one handle."""

    def __init__(self, bucket: Bucket, entries: Iterator[Entry], destination: str, number: int) -> None:
        self._bucket, self._entries, self._destination = bucket, entries, destination
        self._temporary = Path(destination, f".copy-{number}")
        self._head: list[bytes] = []
        self._body: list[bytes] = []
        self.curl = new_curl()
        self.curl.setopt(pycurl.HEADERFUNCTION, self._head.append)
        self.curl.setopt(pycurl.WRITEFUNCTION, self._body.append)

    def begin(self) -> bool:
        entry = next(self._entries, None)
        if entry is None:
            return False
        self._head.clear()
        self._body.clear()
        self._key = entry.key
        headers = (("if-match", entry.etag), ("x-amz-checksum-mode", "ENABLED"))
        self._bucket.set_request(self.curl, entry.key, headers=headers)
        return True

    def end(self) -> None:
        body = b"".join(self._body)
        stored = next(line for line in self._head if line.lower().startswith(CHECKSUM))
        if base64.b64decode(stored[len(CHECKSUM) :].strip()) != crc64nvme(body).to_bytes(8, "big"):
            raise SystemExit(f"{self._key}: other bytes than those that are stored")
        file = os.open(self._temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        os.write(file, body)
        os.close(file)
        path = Path(self._destination, self._key)
        try:
            self._temporary.rename(path)
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._temporary.rename(path)


def main(endpoint: str, name: str, destination: str, connections: str) -> None:
    bucket = Bucket(endpoint, name)
    entries = bucket.entries()
    drive([Copy(bucket, entries, destination, number) for number in range(int(connections))])


main(*sys.argv[1:])
