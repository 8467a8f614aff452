"""Fetches many small objects at a time in one transfer thread, without using the event loop.

An object needs no coroutine, no future and no call into the loop, so it costs much less CPU time. Nothing is
verified or retried here: an object whose request fails goes back to the caller together with the reason.
"""

import pycurl

from s3haul.core.retry import is_of_run
from s3haul.errors import Fault
from s3haul.models import ObjectRef
from s3haul.s3.client import RequestClient, Response, is_refusal
from s3haul.s3.libcurl import curl_fault
from s3haul.s3.responses import ViolationError, object_meta, parse_head
from s3haul.s3.signing import Shape, SigningKeys, encode_path
from s3haul.s3.transfers import TransferThread
from s3haul.store.protocol import LARGEST_IN_MEMORY, SmallObjectWork


class _SmallExchange:
    """The exchange of one object. Reused for the next one."""

    __slots__ = ("_body", "_lines", "_owner", "access_key", "ref", "request")

    def __init__(self, owner: "SmallObjectThread") -> None:
        self._owner = owner
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self.ref: ObjectRef
        self.request: tuple[str, list[str]]
        self.access_key: str

    def begin(self, handle: pycurl.Curl) -> None:
        handle.setopt(pycurl.URL, self.request[0])
        handle.setopt(pycurl.HTTPHEADER, self.request[1])
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, self._body.append)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, LARGEST_IN_MEMORY)  # a server that sends more is cut off

    def end(self, handle: pycurl.Curl | None, code: int, message: str) -> None:
        lines, body = self._lines, self._body
        if code and not is_refusal(lines):
            connected = handle is not None and handle.getinfo(pycurl.PRETRANSFER_TIME) > 0
            self._owner.failed_one(self.ref, curl_fault(code, message, connected=connected), self.access_key)
        else:
            seconds = 0.0 if handle is None else handle.getinfo(pycurl.TOTAL_TIME)
            self._owner.responded(self.ref, lines, body, seconds, self.access_key)
        lines.clear()
        body.clear()
        self._owner.idle.append(self)

    def fail(self, error: BaseException) -> None:
        """Nothing: `SmallObjectThread.failed` ends the run."""


class SmallObjectThread:
    """Implements `store.protocol.SmallObjects`. The constructor starts the thread."""

    def __init__(self, client: RequestClient, shape: Shape, work: SmallObjectWork) -> None:
        self.idle: list[_SmallExchange] = []
        self._client = client
        self._shape = shape
        self._work = work
        self._origin, self._base = client.endpoint.origin, client.endpoint.base
        self._signing = SigningKeys(client.endpoint)
        self._timings = client.timings
        self._thread = TransferThread(
            client.network, client.connections, "s3haul-small", client.timings, self
        )

    @property
    def waited(self) -> float:
        return self._thread.waited

    @property
    def closing(self) -> bool:
        return self._thread.closing

    def wake(self) -> None:
        self._thread.wake()

    def close(self) -> None:
        self._thread.close()

    def next_exchange(self) -> _SmallExchange | None:
        """As `transfers.ExchangeSource`."""
        work = self._work
        while (ref := work.next()) is not None:
            keys, clock = self._client.keys, self._client.clock
            if keys is None or (keys.expires_at is not None and keys.expires_at <= clock.ours()):
                work.not_received(ref, None)  # the general path waits for valid credentials
                continue
            try:
                path = f"{self._base}/{encode_path(ref.key)}"
                headers = self._signing.signer(keys).headers(self._shape, path, "", (ref.etag,), clock.now())
            except ValueError:
                work.not_received(ref, None)
                continue
            exchange = self.idle.pop() if self.idle else _SmallExchange(self)
            exchange.ref, exchange.request = ref, (self._origin + path, headers)
            exchange.access_key = keys.access_key
            return exchange
        return None

    def before_wait(self) -> None:
        """As `transfers.ExchangeSource`."""
        self._work.before_wait()

    def failed(self, error: BaseException) -> None:
        """As `transfers.ExchangeSource`."""
        self._work.failed(error)

    def responded(
        self, ref: ObjectRef, lines: list[bytes], body: list[bytes], seconds: float, access_key: str
    ) -> None:
        """A response to the request of one object came."""
        try:
            status, headers = parse_head(lines)
            if status == 200:
                self._timings.add_object(ref.key, ref.size, seconds)
                self._work.received(ref, object_meta(status, headers, dated=False), body)
                return
            fault = self._client.refusal(Response(status, headers, b"".join(body)))
        except ViolationError as violation:
            fault = violation.fault
        self.failed_one(ref, fault, access_key)

    def failed_one(self, ref: ObjectRef, fault: Fault, access_key: str) -> None:
        """The request of one object failed. What ends the run,
        the general path finds out with a request of its own."""
        self._work.not_received(ref, None if is_of_run(fault) else fault, access_key)
