"""A small S3 over plain HTTP on 127.0.0.1, every answer of which a test may change.
It checks no signature."""

import hashlib
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote_plus, unquote, urlsplit

BUCKET = "odd"
WHEN = "2026-01-02T03:04:05.000Z"
ENTRY = (
    "<Contents><Key>{key}</Key><LastModified>{when}</LastModified><ETag>&quot;{etag}&quot;</ETag>"
    "<Size>{size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
)
PAGE = (
    '<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    "<Name>odd</Name><KeyCount>{count}</KeyCount><EncodingType>url</EncodingType>"
    "<IsTruncated>{more}</IsTruncated>{token}{entries}</ListBucketResult>"
)


@dataclass
class RequestKind:
    """One request: header names in lower case, the query with one value a name."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]

    @property
    def is_listing(self) -> bool:
        return "list-type" in self.query

    @property
    def is_get(self) -> bool:
        return self.method == "GET" and not self.is_listing


@dataclass
class Reply:
    """One answer. `framing` is length, chunked or close."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    framing: str = "length"


Change = Callable[[RequestKind, Reply], Reply]


def of_pages(change: Callable[[str], str]) -> Change:
    """A change of the text of each page of the listing."""

    def changed(asked: RequestKind, reply: Reply) -> Reply:
        if asked.is_listing:
            reply.body = change(reply.body.decode()).encode()
        return reply

    return changed


def of_gets(change: Callable[[Reply], Reply]) -> Change:
    """A change of each answer to GetObject."""
    return lambda asked, reply: change(reply) if asked.is_get else reply


def refusing(status: int, code: str, when: Callable[[RequestKind], bool]) -> Change:
    """An error in place of some answers."""
    error = f"<Error><Code>{code}</Code><Message>said so</Message></Error>".encode()
    return lambda asked, reply: Reply(status, {}, error) if when(asked) else reply


class OddStore:
    """Holds `objects`; `log` has what was asked."""

    def __init__(self, objects: Mapping[str, bytes], change: Change, page: int = 3) -> None:
        self.objects, self.log = dict(objects), list[RequestKind]()
        self._change, self._page = change, page

    def answer(self, asked: RequestKind) -> Reply:
        self.log.append(asked)
        return self._change(asked, self._plain(asked))

    def _plain(self, asked: RequestKind) -> Reply:
        key = asked.path.removeprefix(f"/{BUCKET}").removeprefix("/")
        if asked.is_listing:
            return Reply(body=self._listing(asked).encode())
        if not key:
            return Reply()
        if key not in self.objects:
            return Reply(404, {}, b"<Error><Code>NoSuchKey</Code></Error>")
        return Reply(200, {"ETag": f'"{self.etag(key)}"'}, self.objects[key])

    def etag(self, key: str) -> str:
        return hashlib.md5(self.objects[key], usedforsecurity=False).hexdigest()

    def _listing(self, asked: RequestKind) -> str:
        after = asked.query.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key > after)
        shown, more = keys[: self._page], len(keys) > self._page
        entries = [
            ENTRY.format(key=quote_plus(key), when=WHEN, etag=self.etag(key), size=len(self.objects[key]))
            for key in shown
        ]
        token = f"<NextContinuationToken>{shown[-1]}</NextContinuationToken>" if more else ""
        return PAGE.format(count=len(shown), more=str(more).lower(), token=token, entries="".join(entries))


@contextmanager
def served(store: OddStore) -> Iterator[str]:
    """Its URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
            headers = {name.lower(): value for name, value in self.headers.items()}
            self._send(store.answer(RequestKind(self.command, unquote(url.path), query, headers)))

        do_HEAD = do_GET  # noqa: N815 - the library's name

        def _send(self, reply: Reply) -> None:
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            body = reply.body
            if reply.framing == "chunked":
                self.send_header("Transfer-Encoding", "chunked")
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            elif reply.framing == "close":
                self.send_header("Connection", "close")
            else:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def replaced(pattern: str, by: str) -> Change:
    """Each match of a regular expression in a page, by something else."""
    return of_pages(lambda text: re.sub(pattern, by, text))
