"""Sends one signed request: returns a response with status 200 or 206, or raises `StoreError`.

Only one error is retried here, once: the server refused the signature because our clock is wrong. libcurl itself
retries a request that it sent on an idle connection which the server had just closed. `store` retries all other errors.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import responses

from s3haul import __version__
from s3haul.core.sigv4 import Shape, Signer
from s3haul.core.timings import Timings
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.s3 import documents
from s3haul.s3.documents import interception
from s3haul.s3.endpoint import REDIRECTS, Credentials, Endpoint, FetchCredentials, ServerClock
from s3haul.s3.exchange import OnHead, RequestExchange, Response
from s3haul.s3.faults import own_fault, redirect_fault, service_fault
from s3haul.s3.libcurl import Network
from s3haul.s3.transfers import TransferThread
from s3haul.threads import shielded

BUSY = 4  # transfers; if every thread has at least so many, another thread is started

# An empty value prevents libcurl from sending a default header of that name.
_UNSIGNED = (("accept-encoding", "identity"), ("user-agent", f"s3haul/{__version__}"), ("accept", ""))


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


class SigningKeys:
    """Caches the signer of the current credentials, and replaces it when they change. For one thread."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._keys: Credentials | None = None
        self._signer: Signer | None = None

    def signer(self, keys: Credentials) -> Signer:
        if self._signer is None or (keys is not self._keys and keys != self._keys):
            self._signer = Signer(
                region=self._endpoint.region,
                authority=self._endpoint.authority,
                access_key=keys.access_key,
                secret_key=keys.secret_key,
                token=keys.token,
                unsigned=_UNSIGNED,
            )
        self._keys = keys
        return self._signer


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
        self._fetch = fetch
        self._signing = SigningKeys(endpoint)
        self.connections = connections
        self._most_threads = threads
        self._threads: list[TransferThread] = []
        self._buffers: deque[bytearray] = deque()
        self.repeated = 0
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
            self.repeated += 1
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
        url = self.endpoint.origin + request.target
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
        return service_fault(status, headers, _error_fields(response.document, status), self.clock.ours())


def _error_fields(body: bytes, status: int) -> Mapping[str, str]:
    """Code and Message of the error document. Without a document, they are the status and its text, as in the SDK."""
    try:
        fields = documents.error(documents.read(body))
    except ValueError:
        fields = {}
    return {"Code": str(status), "Message": responses.get(status, ""), **fields}
