"""What both pycurl clients need of S3: signed requests, the listing, many transfers in one thread.

No retries, no redirects, no other credentials than two environment variables:
the first error ends the program.
"""

import hashlib
import hmac
import os
import time
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Protocol, TypeVar
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import pycurl

EMPTY = hashlib.sha256(b"").hexdigest()


class Entry(NamedTuple):
    key: str
    size: int
    etag: str


class Bucket:
    """Signs GETs (SigV4; the derived key serves for a second) and lists."""

    def __init__(self, endpoint: str, name: str) -> None:
        self._endpoint, self._name = endpoint, name
        self._host = urlsplit(endpoint).netloc
        self._second = 0

    def set_request(
        self, curl: pycurl.Curl, key: str = "", query: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        """`headers` are in order, and stand between host and x-amz-content-sha256."""
        if (now := int(time.time())) != self._second:
            self._derive_key(now)
        path = f"/{self._name}/{quote(key, safe='/~')}" if key else f"/{self._name}"
        sent = (*headers, ("x-amz-content-sha256", EMPTY), ("x-amz-date", self._stamp))
        signed = ";".join(["host", *[name for name, _ in sent]])
        lines = "".join([f"{name}:{value}\n" for name, value in sent])
        canonical = f"GET\n{path}\n{query}\nhost:{self._host}\n{lines}\n{signed}\n{EMPTY}"
        text = self._to_sign + hashlib.sha256(canonical.encode()).hexdigest()
        signature = hmac.digest(self._key, text.encode(), "sha256").hex()
        authorization = f"{self._credential}, SignedHeaders={signed}, Signature={signature}"
        curl.setopt(pycurl.URL, f"{self._endpoint}{path}?{query}" if query else self._endpoint + path)
        fields = [f"{name}: {value}" for name, value in sent]
        curl.setopt(pycurl.HTTPHEADER, [*fields, f"authorization: {authorization}", "accept:"])

    def _derive_key(self, now: int) -> None:
        self._second, self._stamp = now, time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
        scope = f"{self._stamp[:8]}/{os.environ['AWS_REGION']}/s3/aws4_request"
        self._key = f"AWS4{os.environ['AWS_SECRET_ACCESS_KEY']}".encode()
        for part in scope.split("/"):
            self._key = hmac.digest(self._key, part.encode(), "sha256")
        self._to_sign = f"AWS4-HMAC-SHA256\n{self._stamp}\n{scope}\n"
        self._credential = f"AWS4-HMAC-SHA256 Credential={os.environ['AWS_ACCESS_KEY_ID']}/{scope}"

    def entries(self) -> Iterator[Entry]:
        """Everything in the bucket, a page at a time."""
        curl, token = new_curl(), None
        while token != "":
            chunks: list[bytes] = []
            after = f"continuation-token={quote(token, safe='~')}&" if token else ""
            self.set_request(curl, query=f"{after}list-type=2")
            curl.setopt(pycurl.WRITEFUNCTION, chunks.append)
            curl.perform()
            page = ET.fromstring(b"".join(chunks))
            for entry in page.iterfind("{*}Contents"):
                key, size, etag = (entry.findtext(f"{{*}}{name}", "") for name in ("Key", "Size", "ETag"))
                yield Entry(key, int(size), etag)
            token = page.findtext("{*}NextContinuationToken", "")


def new_curl() -> pycurl.Curl:
    curl = pycurl.Curl()
    for option, value in (
        (pycurl.CAINFO, os.environ["AWS_CA_BUNDLE"]),
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PATH_AS_IS, 1),
        (pycurl.NOSIGNAL, 1),
        (pycurl.FAILONERROR, 1),
        (pycurl.BUFFERSIZE, 256 << 10),
    ):
        curl.setopt(option, value)
    return curl


class Transfer(Protocol):
    """Works on one object (or range) after the other, with one handle."""

    curl: pycurl.Curl

    def begin(self) -> bool:
        """Set the next request; False when there is none left."""
        ...

    def end(self) -> None:
        """The body is complete."""
        ...


T = TypeVar("T", bound=Transfer)


def drive(transfers: Iterable[T]) -> None:
    """All transfers at a time, in this thread, until none finds more to do."""
    multi, running = pycurl.CurlMulti(), {}

    def start(transfer: T) -> None:
        if transfer.begin():
            running[transfer.curl] = transfer
            multi.add_handle(transfer.curl)

    for transfer in transfers:
        start(transfer)
    while running:
        multi.perform()
        _, done, failed = multi.info_read()
        if failed:
            raise SystemExit(f"{failed[0][2]} ({failed[0][0].getinfo(pycurl.EFFECTIVE_URL)})")
        for curl in done:
            multi.remove_handle(curl)
            ended = running.pop(curl)
            ended.end()
            start(ended)
        if not done:
            timer = multi.timeout()  # milliseconds, which `select` does not heed
            multi.select(1.0 if timer < 0 else min(1.0, timer / 1000))
