"""Makes one signed request and judges its status: an open answer with 200 or 206, or a `StoreError`.

Two things are repeated here, each once, because they are no answer to the request: one that met a
connection which the server had closed while idle, and one that was signed by a clock which the server
then put right.
"""

import time
from collections.abc import Callable, Mapping
from http.client import responses

from s3haul import __version__
from s3haul.aws.faults import own_fault, redirect_fault, service_fault
from s3haul.aws.keys import FetchKeys, Keys
from s3haul.aws.limits import REDIRECTS
from s3haul.aws.wire import documents
from s3haul.aws.wire.connection import Connection
from s3haul.aws.wire.endpoint import Endpoint
from s3haul.aws.wire.pool import Pool
from s3haul.core.sigv4 import Shape, Signer
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError
from s3haul.store import Piece

LONGEST_ERROR = 64 * 1024  # bytes of an error document
LARGEST_SKEW = 86_400.0  # seconds
TOLERABLE_SKEW = 60.0

_UNSIGNED = (("accept-encoding", "identity"), ("user-agent", f"s3haul/{__version__}"))
# A HEAD names no reason for its 403.
_CLOCK = frozenset({"RequestTimeTooSkewed", "403"})


class ServerClock:
    """Our clock, put right by the server's where that refuses ours.

    At most a day: enough for a wrong time zone. Anything more would be a signature for another day,
    which a hostile server could keep for later, and certificates could not be checked by such a clock.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._offset = 0.0

    def now(self) -> float:
        """Epoch seconds to sign with."""
        return self._clock() + self._offset

    def ours(self) -> float:
        """Epoch seconds as this machine has them."""
        return self._clock()

    @property
    def offset(self) -> float:
        """What is added to our clock, in seconds."""
        return self._offset

    def learn(self, fault: Fault, offset: float) -> bool:
        """Puts the clock right if `fault` is about it; whether a request signed at `offset` is worth repeating."""
        if fault.kind is not FaultKind.HTTP or fault.code not in _CLOCK or fault.skew is None:
            return False
        if abs(fault.skew) > LARGEST_SKEW or abs(fault.skew - offset) <= TOLERABLE_SKEW:
            return False
        self._offset = fault.skew
        return True


class Caller:
    """Requests to one endpoint. `fetch` is awaited before each: it may wait for a renewal."""

    def __init__(self, endpoint: Endpoint, pool: Pool, fetch: FetchKeys, clock: ServerClock) -> None:
        self._endpoint = endpoint
        self._pool = pool
        self._fetch = fetch
        self._clock = clock
        self._keys: Keys | None = None
        self._signer: Signer | None = None
        self.repeated = 0

    async def open(
        self, shape: Shape, path: str, query: str = "", values: tuple[str, ...] = ()
    ) -> Connection:
        """An answer with 200 or 206 whose body can be read; `finish` it. Raises `StoreError`."""
        for last in (False, True):
            offset = self._clock.offset
            connection = await self._send(shape, path, query, values)
            try:
                status = connection.answer.status
                if status in {200, 206}:
                    return connection
                fault = await self._refusal(connection)
            except BaseException:
                self._abandon(connection)
                raise
            self.finish(connection)
            if last or not self._clock.learn(fault, offset):
                break
            self.repeated += 1
        raise StoreError(fault)

    def finish(self, connection: Connection) -> None:
        """Gives an open answer back; the connection is dropped unless the answer was read or is here whole."""
        self._pool.release(connection)

    def ours(self) -> float:
        """Epoch seconds by our own clock."""
        return self._clock.ours()

    async def document(self, connection: Connection, limit: int) -> bytes:
        """The whole body. Raises `StoreError`, also for one beyond `limit` bytes."""
        chunks: list[Piece] = []
        size = 0
        async for piece in connection:
            size += len(piece)
            if size > limit:
                raise StoreError(Fault(FaultKind.PROTOCOL, f"a document of more than {limit} bytes"))
            chunks.append(piece)
        return b"".join(chunks)

    async def _send(self, shape: Shape, path: str, query: str, values: tuple[str, ...]) -> Connection:
        """A connection with the head of the answer."""
        bodiless = shape.method == "HEAD"
        try:
            keys = await self._fetch()
        except S3HaulError as error:
            raise StoreError(own_fault(error)) from error
        signer = self._signer_of(keys)
        connection = await self._pool.acquire()
        try:
            try:
                await connection.ask(
                    signer.head(shape, path, query, values, self._clock.now()), bodiless=bodiless
                )
            except StoreError:
                if not connection.stale:
                    raise
                self.repeated += 1
                connection = await self._pool.replace(connection)
                await connection.ask(
                    signer.head(shape, path, query, values, self._clock.now()), bodiless=bodiless
                )
        except ValueError as error:
            self._pool.release(connection)
            raise StoreError(Fault(FaultKind.PROTOCOL, f"the request cannot be sent: {error}")) from error
        except BaseException:
            self._abandon(connection)
            raise
        return connection

    def _abandon(self, connection: Connection) -> None:
        connection.drop()
        self._pool.release(connection)

    def _signer_of(self, keys: Keys) -> Signer:
        """The signer of these keys, which is made anew when they change."""
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

    async def _refusal(self, connection: Connection) -> Fault:
        """What an answer that is no success amounts to."""
        answer = connection.answer
        status, headers = answer.status, answer.headers
        if status in REDIRECTS:
            location, region = headers.get("location", ""), headers.get("x-amz-bucket-region", "")
            return redirect_fault(status, location, region)
        if status < 300:
            return Fault(FaultKind.PROTOCOL, f"status {status} for a GET", status=status)
        said = _said(await self._error_document(connection), status)
        return service_fault(status, headers, said, self._clock.ours())

    async def _error_document(self, connection: Connection) -> bytes:
        try:
            return await self.document(connection, LONGEST_ERROR)
        except StoreError as error:
            if error.fault.kind is not FaultKind.PROTOCOL:
                raise
            return b""


def _said(body: bytes, status: int) -> Mapping[str, str]:
    """What the body says; else the status speaks, as in the SDK."""
    try:
        said = documents.error(documents.read(body))
    except ValueError:
        said = {}
    return {"Code": str(status), "Message": responses.get(status, ""), **said}
