"""Fetches many small objects at a time in one transfer thread, without using the event loop.

An object needs no coroutine, no future and no call into the loop, so it costs much less CPU time. Nothing is verified or
retried here: an object that S3 refuses goes back to the caller together with the reason.
"""

from collections.abc import Callable

import pycurl

from s3haul.core.retry import is_of_session
from s3haul.core.sigv4 import Shape
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ObjectRef
from s3haul.s3.client import RequestClient, SigningKeys
from s3haul.s3.exchange import Response
from s3haul.s3.headers import ViolationError, parse_head
from s3haul.s3.responses import object_meta
from s3haul.s3.transfers import TransferThread
from s3haul.store.protocol import LARGEST_IN_MEMORY, SmallObjectWork


class _SmallExchange:
    """The exchange of one object. Reused for the next one."""

    __slots__ = ("_body", "_lines", "_owner", "ref", "request")

    def __init__(self, owner: "SmallObjectThread") -> None:
        self._owner = owner
        self._lines: list[bytes] = []
        self._body: list[bytes] = []
        self.ref: ObjectRef
        self.request: tuple[str, list[str]]

    def begin(self, handle: pycurl.Curl) -> None:
        handle.setopt(pycurl.URL, self.request[0])
        handle.setopt(pycurl.HTTPHEADER, self.request[1])
        handle.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        handle.setopt(pycurl.WRITEFUNCTION, self._body.append)
        handle.setopt(pycurl.MAXFILESIZE_LARGE, LARGEST_IN_MEMORY)  # a server that sends more is cut off

    def end(self, handle: pycurl.Curl | None, code: int, message: str) -> None:  # noqa: ARG002 - as in `Exchange`
        lines, body, ref = self._lines, self._body, self.ref
        seconds = 0.0 if handle is None else handle.getinfo(pycurl.TOTAL_TIME)
        self._owner.ended(ref, code, lines, body, seconds)
        lines.clear()
        body.clear()
        self._owner.spare.append(self)


class SmallObjectThread:
    """Implements `store.SmallObjects`. The constructor starts the thread."""

    def __init__(
        self, client: RequestClient, shape: Shape, path_of: Callable[[str], str], work: SmallObjectWork
    ) -> None:
        self.spare: list[_SmallExchange] = []
        self._client = client
        self._shape = shape
        self._path_of = path_of
        self._work = work
        self._origin = client.endpoint.origin
        self._signing = SigningKeys(client.endpoint)
        self._timings = client.timings
        self._thread = TransferThread(
            client.network, client.connections, "s3haul-small", client.timings, self
        )

    @property
    def waited(self) -> float:
        return self._thread.waited

    def wake(self) -> None:
        self._thread.wake()

    def close(self) -> None:
        self._thread.close()

    def next_exchange(self) -> _SmallExchange | None:
        """As `transfers.Feed`."""
        work = self._work
        while (ref := work.next()) is not None:
            try:
                path = self._path_of(ref.key)
                headers = self._headers(path, ref.etag)
            except (StoreError, ValueError):
                work.refused(ref, None)
                continue
            exchange = self.spare.pop() if self.spare else _SmallExchange(self)
            exchange.ref, exchange.request = ref, (self._origin + path, headers)
            return exchange
        return None

    def pause(self) -> None:
        """As `transfers.Feed`."""
        self._work.pause()

    def failed(self, error: BaseException) -> None:
        """As `transfers.Feed`."""
        self._work.failed(error)

    def ended(self, ref: ObjectRef, code: int, lines: list[bytes], body: list[bytes], seconds: float) -> None:
        """One object came, or did not."""
        fault = None
        if not code:
            try:
                status, headers = parse_head(lines)
                if status == 200:
                    self._timings.ended(ref.key, ref.size, seconds)
                    self._work.received(ref, object_meta(status, headers, dated=False), body)
                    return
                fault = self._fault(Response(status, headers, b"".join(body)))
            except ViolationError as violation:
                fault = violation.fault
        self._work.refused(ref, fault)

    def _fault(self, response: Response) -> Fault | None:
        """Why S3 refused this object; None for what concerns the session or the connection, so that the general path
        finds out with a request of its own."""
        fault = self._client.refusal(response)
        concerns_object = fault.kind in {FaultKind.HTTP, FaultKind.PROTOCOL} and not is_of_session(fault)
        return fault if concerns_object else None

    def _headers(self, path: str, etag: str) -> list[str]:
        keys = self._client.keys
        clock = self._client.clock
        if keys is None or (keys.expires_at is not None and keys.expires_at <= clock.ours()):
            raise ValueError("no valid credentials: the general path waits for them")
        return self._signing.signer(keys).headers(self._shape, path, "", (etag,), clock.now())
