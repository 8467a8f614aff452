"""The HTTP client of botocore's clients, over libcurl: for STS, IAM and credential providers.

botocore builds and signs the requests and parses the responses; its event `before-send` calls this module to send them.
If pycurl cannot be loaded, botocore's own HTTP client sends them. In both cases certificates are verified and redirects
are refused. Objects and listings are not requested here.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any, Protocol, TypeVar

from botocore.awsrequest import AWSResponse
from botocore.exceptions import BotoCoreError, HTTPClientError
from botocore.httpsession import URLLib3Session
from botocore.parsers import ResponseParserError

from s3haul.aws.endpoints import proxy_for
from s3haul.concurrency import shielded
from s3haul.errors import Fault, FaultKind
from s3haul.s3.documents import interception, plain
from s3haul.s3.endpoint import CONNECT_TIMEOUT, REDIRECTS
from s3haul.s3.responses import ViolationError, parse_head

READ_TIMEOUT = 30
LONGEST_DOCUMENT = 1 << 20  # bytes

_TRANSIENT = frozenset({FaultKind.CONNECT, FaultKind.STALL, FaultKind.BROKEN})

# What botocore's parsers raise, in addition to their own error, for documents with an unexpected structure.
PARSER_ERRORS = (LookupError, TypeError, AttributeError, ArithmeticError)

T = TypeVar("T")


class RedirectRefused(BotoCoreError):  # type: ignore[misc]  # noqa: N818 - botocore's naming
    """The response is a redirect. `kwargs` contains status, location and region."""

    fmt = "HTTP {status} redirect to {location!r} refused"

    @classmethod
    def of(cls, response: Any) -> "RedirectRefused":
        return cls(
            status=response.status_code,
            location=response.headers.get("location", ""),
            region=response.headers.get("x-amz-bucket-region", ""),
        )


class NoResponse(BotoCoreError):  # type: ignore[misc]  # noqa: N818 - same
    """There is no usable response, and botocore must not retry. `kwargs` contains the fault."""

    fmt = "{fault.message}"


class TransientNoResponse(HTTPClientError):  # type: ignore[misc]  # noqa: N818 - same
    """There is no response; botocore retries the request, because this is an `HTTPClientError`."""

    fmt = "{fault.message}"


class HttpClient(Protocol):
    """Sends one request of botocore, and returns the response, whatever its status."""

    def send(self, request: Any) -> AWSResponse: ...


class CurlHttpClient:
    """Uses one handle, so that requests to the same server share a connection. Thread-safe, one request at a time."""

    def __init__(self, authorities: str) -> None:
        from s3haul.s3.libcurl import Network, new_handle  # noqa: PLC0415 - pycurl may be missing

        self._lock = threading.Lock()
        self._handle = new_handle(Network(authorities=authorities, stall_timeout=READ_TIMEOUT))

    def send(self, request: Any) -> AWSResponse:
        """Raises `NoResponse` or `TransientNoResponse`."""
        with self._lock:
            return self._send(request)

    def _send(self, request: Any) -> AWSResponse:
        import pycurl  # noqa: PLC0415 - as above

        from s3haul.s3.libcurl import curl_fault  # noqa: PLC0415

        handle, lines, body = self._handle, list[bytes](), bytearray()

        def take(data: bytes) -> int:
            body.extend(data)
            # For libcurl, any number but that of the bytes is an error.
            return -1 if len(body) > LONGEST_DOCUMENT else len(data)

        _set_request(pycurl, handle, request)
        handle.setopt(pycurl.HEADERFUNCTION, lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, take)
        # libcurl calls this during the transfer; a result that is not 0 aborts it. It is the only way to cancel a
        # blocking `perform` from another thread.
        handle.setopt(pycurl.NOPROGRESS, 0)
        handle.setopt(pycurl.XFERINFOFUNCTION, lambda *_: int(_is_stopped()))
        try:
            handle.perform()
            status, headers = parse_head(lines)
            document = plain(bytes(body))
        except pycurl.error as error:
            connected = handle.getinfo(pycurl.PRETRANSFER_TIME) > 0
            raise _no_response(curl_fault(error.args[0], error.args[1], connected=connected)) from None
        except (ViolationError, ValueError) as error:
            raise NoResponse(fault=Fault(FaultKind.PROTOCOL, str(error))) from None
        return AWSResponse(request.url, status, headers, _Body(document))


def _set_request(pycurl: Any, handle: Any, request: Any) -> None:
    handle.setopt(pycurl.URL, request.url)
    handle.setopt(pycurl.PROXY, proxy_for(request.url))
    handle.setopt(pycurl.HTTPHEADER, list(_header_lines(request)))
    handle.unsetopt(pycurl.CUSTOMREQUEST)
    if request.method == "GET":
        handle.setopt(pycurl.HTTPGET, 1)
    else:
        handle.setopt(pycurl.POST, 1)
        handle.setopt(pycurl.CUSTOMREQUEST, request.method)
        handle.setopt(pycurl.POSTFIELDS, request.body or b"")


def _header_lines(request: Any) -> Iterator[str]:
    for name, value in request.headers.items():
        text = value.decode() if isinstance(value, bytes) else str(value)
        yield f"{name}: {text}" if text else f"{name};"
    yield from ("Accept:", "Expect:")  # prevents libcurl from sending its own


def _no_response(fault: Fault) -> BotoCoreError:
    return (TransientNoResponse if fault.kind in _TRANSIENT else NoResponse)(fault=fault)


class _Body:
    """The body in the form that botocore reads."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self) -> Iterator[bytes]:
        yield self._data


class BotocoreHttpClient:
    """Uses botocore's own HTTP client, if pycurl cannot be loaded."""

    def __init__(self, authorities: str) -> None:
        self._authorities = authorities

    def send(self, request: Any) -> AWSResponse:
        proxy = proxy_for(request.url)
        session = URLLib3Session(
            verify=self._authorities,
            proxies={"http": proxy, "https": proxy} if proxy else None,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
        )
        try:
            return session.send(request)
        finally:
            session.close()


@lru_cache(maxsize=4)
def http_client(authorities: str) -> HttpClient:
    """The client that trusts the certificate authorities in this PEM file."""
    try:
        return CurlHttpClient(authorities)
    except ImportError:
        return BotocoreHttpClient(authorities)


def request_handler(chosen: HttpClient) -> Callable[..., AWSResponse]:
    """The handler for botocore's event `before-send`."""

    def send(request: Any, **_: Any) -> AWSResponse:
        if _is_stopped():
            raise NoResponse(fault=Fault(FaultKind.BROKEN, "the run is ending"))
        response = chosen.send(request)
        if page := interception(response.status_code, response.headers, response.content):
            raise NoResponse(fault=page)
        if response.status_code in REDIRECTS:
            raise RedirectRefused.of(response)
        return response

    return send


_thread = threading.local()


def _is_stopped() -> bool:
    stopped: threading.Event | None = getattr(_thread, "stopped", None)
    return stopped is not None and stopped.is_set()


async def call(function: Callable[[], T]) -> T:
    """Run `function`, which uses botocore, in a thread. Cancellation aborts its request and prevents further ones."""
    stopped = threading.Event()

    def work() -> T:
        _thread.stopped = stopped
        try:
            return function()
        except ResponseParserError as error:
            # botocore's message contains the whole document, and that of STS the keys of a session.
            reason = error.__context__ or type(error).__name__
            raise ResponseParserError(f"the response cannot be parsed ({reason})") from None
        except PARSER_ERRORS as error:
            raise ResponseParserError(
                f"the response cannot be parsed ({type(error).__name__}: {error})"
            ) from error

    return await shielded(asyncio.get_running_loop().run_in_executor(None, work), hurry=stopped.set)
