"""Sends one signed request: returns a response with status 200 or 206, or raises `StoreError`. For all requests except
those of the thread for small objects.

Only one error is retried here, once: the server refused the signature because our clock is wrong. libcurl itself
retries a request that it sent on an idle connection which the server had just closed. `store` retries all other errors.

The consumer of a body is called in the transfer thread. libcurl delivers at most 16 KiB at a time. Large bodies are
gathered into chunks of 1 MiB first, because hashing and writing have a cost per call.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import pycurl

from s3haul.concurrency import finish_future, shielded
from s3haul.core.stats import Timings
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.s3.documents import error_fields, interception
from s3haul.s3.endpoint import REDIRECTS, Credentials, Endpoint, FetchCredentials
from s3haul.s3.faults import own_fault, redirect_fault, service_fault
from s3haul.s3.libcurl import Network, curl_fault
from s3haul.s3.responses import ViolationError, parse_head
from s3haul.s3.signing import ServerClock, Shape, SigningKeys
from s3haul.s3.transfers import TransferThread
from s3haul.store.protocol import Chunk, OnData

BUSY = 4  # transfers; if every thread has at least so many, another thread is started
LONGEST_ERROR = 64 << 10  # bytes of an error document
GATHERED = 1 << 20
_ABORT = -1  # the return value of a callback that aborts the transfer
# Called with status and headers; returns the consumer of the body.
OnHead = Callable[[int, dict[str, str]], OnData]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request. `path` and `query` are URL-encoded; `values` are those of the headers `shape.varying`."""

    shape: Shape
    path: str
    query: str = ""
    values: tuple[str, ...] = ()

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path


@dataclass(slots=True)
class Response:
    """Status, headers, and the document of an error response (empty if it exceeds the limit)."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    document: bytes = b""

    @property
    def success(self) -> bool:
        return self.status in {200, 206}


class RequestClient:
    """Sends requests to one endpoint, with at most `threads` transfer threads, which are started when needed.

    `fetch` is awaited before each request; it may wait until the credentials are renewed.
    """

    def __init__(
        self, endpoint: Endpoint, network: Network, fetch: FetchCredentials, *, connections: int, threads: int
    ) -> None:
        self.endpoint = endpoint
        self.network = network
        self.clock = ServerClock()
        self.keys: Credentials | None = None  # the result of the last `fetch`
        self._origin = endpoint.origin
        self._fetch = fetch
        self._signing = SigningKeys(endpoint)
        self.connections = connections
        self._most_threads = threads
        self._threads: list[TransferThread] = []
        self._buffers: deque[bytearray] = deque()
        self.timings = Timings()

    async def send(self, request: Request, on_head: OnHead) -> Response:
        """Return a response with status 200 or 206 after its body has been received. Raises `StoreError`, and
        whatever `on_head` and the function that it returns raise."""
        for last in (False, True):
            offset = self.clock.offset
            response = await self._exchange(request, on_head)
            if response.success:
                return response
            fault = self.refusal(response)
            if last or not self.clock.learn(fault, offset):
                break
        raise StoreError(fault)

    async def renew(self) -> None:
        """Store valid credentials in `keys`. Raises `StoreError`."""
        try:
            self.keys = await self._fetch()
        except S3HaulError as error:
            raise StoreError(own_fault(error)) from error

    def close(self) -> None:
        """Abort all transfers and end all threads."""
        while self._threads:
            self._threads.pop().close()

    async def _exchange(self, request: Request, on_head: OnHead) -> Response:
        await self.renew()
        assert self.keys is not None
        shape = request.shape
        try:
            headers = self._signing.signer(self.keys).headers(
                shape, request.path, request.query, request.values, self.clock.now()
            )
        except ValueError as error:
            raise StoreError(Fault(FaultKind.PROTOCOL, f"the request cannot be sent: {error}")) from error
        url = self._origin + request.target
        exchange = RequestExchange(url, headers, on_head, buffers=self._buffers, method=shape.method)
        thread = self._thread()
        thread.submit(exchange)
        return await shielded(exchange.ended, lambda: thread.cancel(exchange))

    def _thread(self) -> TransferThread:
        """The least busy thread; a new one if all are busy and more are allowed."""
        least = min(self._threads, key=lambda thread: thread.load, default=None)
        if least is None or (least.load >= BUSY and len(self._threads) < self._most_threads):
            name = f"s3haul-curl-{len(self._threads)}"
            least = TransferThread(self.network, self.connections, name, self.timings)
            self._threads.append(least)
        return least

    def refusal(self, response: Response) -> Fault:
        """The fault of a response that is not a success."""
        status, headers = response.status, response.headers
        if status in REDIRECTS:
            location, region = headers.get("location", ""), headers.get("x-amz-bucket-region", "")
            return redirect_fault(status, location, region)
        if status < 300:
            return Fault(FaultKind.PROTOCOL, f"status {status} for a GET", status=status)
        if page := interception(status, headers, response.document):
            return page
        return service_fault(
            status, headers, error_fields(status, headers, response.document), self.clock.ours()
        )


def is_refusal(lines: Sequence[bytes]) -> bool:
    """Whether all headers of an error response arrived. Then the status counts, even if its document broke off."""
    try:
        status, _ = parse_head(lines)
    except ViolationError:
        return False
    return status >= 300 and lines[-1] == b"\r\n"


class RequestExchange:
    """Created on an event loop, which awaits `ended`. All other methods run in the transfer thread.

    `buffers` are those that the exchanges of a client share.
    """

    def __init__(
        self,
        url: str,
        headers: Sequence[str],
        on_head: OnHead,
        *,
        buffers: deque[bytearray],
        method: str = "GET",
    ) -> None:
        self.ended: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self._loop = asyncio.get_running_loop()
        self._url, self._headers, self._on_head, self._method = url, headers, on_head, method
        self._response = Response()
        self._lines: list[bytes] = []
        self._take: OnData | None = None
        self._buffers = buffers
        self._gather: _Gather | None = None
        self._error: BaseException | None = None
        self._endless = False

    def begin(self, handle: pycurl.Curl) -> None:
        handle.setopt(pycurl.URL, self._url)
        handle.setopt(pycurl.HTTPHEADER, self._headers)
        if self._method == "HEAD":
            handle.setopt(pycurl.NOBODY, 1)
        else:
            handle.setopt(pycurl.HTTPGET, 1)
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, self._write)

    def end(self, handle: pycurl.Curl | None, code: int, message: str) -> None:
        try:
            if self._error is None and code and not self._endless and not is_refusal(self._lines):
                connected = handle is not None and handle.getinfo(pycurl.PRETRANSFER_TIME) > 0
                self._error = StoreError(curl_fault(code, message, connected=connected))
            elif self._error is None:
                self._head()
                if self._gather is not None:
                    self._gather.flush()
        except BaseException as error:  # noqa: BLE001 - raised in the task that waits
            self._error = error
        if self._gather is not None:
            self._gather.close()
        if handle is not None:
            # The handle may stay idle for long; its callbacks would keep this exchange, the consumer and its buffers
            # alive until then.
            handle.unsetopt(pycurl.HEADERFUNCTION)
            handle.unsetopt(pycurl.WRITEFUNCTION)
        self._loop.call_soon_threadsafe(finish_future, self.ended, self._response, self._error)

    def fail(self, error: BaseException) -> None:
        self._loop.call_soon_threadsafe(finish_future, self.ended, self._response, error)

    def _write(self, chunk: bytes) -> int:
        # No exception may leave a callback: pycurl would print it and lose it. It is kept for the waiting task.
        try:
            (self._take or self._head())(chunk)
        except _EndlessDocumentError:
            self._response.document, self._endless = b"", True
            return _ABORT
        except BaseException as error:  # noqa: BLE001 - raised in the task that waits
            self._error = error
            return _ABORT
        return len(chunk)

    def _head(self) -> OnData:
        """Parse the headers and choose the consumer of the body, once."""
        if self._take is not None:
            return self._take
        response = self._response
        try:
            response.status, response.headers = parse_head(self._lines)
        except ViolationError as violation:
            raise StoreError(violation.fault) from None
        if not response.success:
            self._take = self._keep_document
            return self._take
        take = self._on_head(response.status, response.headers)
        length = response.headers.get("content-length", "")
        if length.isdecimal() and len(length) < 19 and int(length) >= GATHERED:
            self._gather = _Gather(take, self._buffers)
            take = self._gather.add
        self._take = take
        return take

    def _keep_document(self, chunk: Chunk) -> None:
        self._response.document += chunk
        if len(self._response.document) > LONGEST_ERROR:
            raise _EndlessDocumentError


class _EndlessDocumentError(Exception):
    """The document of an error response exceeds the limit: it is ignored, and only the status is used."""


class _Gather:
    """Gathers pieces of a large body, and passes them on 1 MiB at a time.

    Its buffer comes from `buffers` and goes back there: the page faults of a new one for each request would cost as
    much CPU time as hashing the bytes.
    """

    def __init__(self, take: OnData, buffers: deque[bytearray]) -> None:
        self._take = take
        self._buffers = buffers
        try:
            self._buffer = buffers.pop()
        except IndexError:
            self._buffer = bytearray(GATHERED)
        self._memory = memoryview(self._buffer)
        self._filled = 0

    def add(self, chunk: Chunk) -> None:
        end = self._filled + len(chunk)
        if end > GATHERED:
            self.flush()
            end = len(chunk)
        self._memory[self._filled : end] = chunk
        self._filled = end

    def flush(self) -> None:
        filled, self._filled = self._filled, 0
        if filled:
            self._take(self._memory[:filled])

    def close(self) -> None:
        self._buffers.append(self._buffer)
