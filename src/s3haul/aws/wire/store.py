"""The wire transport: `ObjectStore` over our own connections, for what nearly all buckets need.

It asks, parses and hands on, as the sdk transport does, and gives the same records and the same faults;
it retries nothing that was answered and verifies no content.
"""

from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Self, TypeVar

from s3haul.aws import answers
from s3haul.aws.faults import service_fault
from s3haul.aws.keys import FetchKeys
from s3haul.aws.layout import ATTRIBUTES, PARTS_PER_PAGE, read_layout
from s3haul.aws.limits import SPARE_CONNECTIONS
from s3haul.aws.tls import tls_context
from s3haul.aws.wire import documents
from s3haul.aws.wire.caller import Caller, ServerClock
from s3haul.aws.wire.connection import Connection
from s3haul.aws.wire.endpoint import Endpoint
from s3haul.aws.wire.pool import Limits, Pool
from s3haul.core.sigv4 import Pairs, Shape, encode_path, encode_query
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ListPage, ObjectMeta, PartLayout
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store import GetRequest, Piece, Take

LONGEST_PAGE = 16 * 1024 * 1024  # bytes of XML; 1,000 of the longest keys, encoded, are 4 MB

T = TypeVar("T")
R = TypeVar("R")

_EMPTY = ListPage((), truncated=False, token=None, key_count=None, empty_answer=True)
_CHECKSUMS = ("x-amz-checksum-mode", "ENABLED")


class WireStore:
    """One bucket through one pool, which `open_wire_store` makes and closes."""

    def __init__(self, caller: Caller, pool: Pool, endpoint: Endpoint, source: SourceOptions) -> None:
        self._caller = caller
        self._pool = pool
        self._base = endpoint.base
        self._page_size = source.page_size
        self._calls: Counter[str] = Counter()
        common = _common(source)
        self._plain_get = Shape("GET", (_CHECKSUMS, *common))
        self._matching_get = Shape("GET", (_CHECKSUMS, *common), ("if-match",))
        self._range_get = Shape("GET", (_CHECKSUMS, *common), ("range",))
        self._matching_range_get = Shape("GET", (_CHECKSUMS, *common), ("if-match", "range"))
        self._head = Shape("HEAD", common)
        self._checked_head = Shape("HEAD", (_CHECKSUMS, *common))
        self._list = Shape("GET", (("x-amz-optional-object-attributes", "RestoreStatus"), *common))
        asked = (("x-amz-max-parts", str(PARTS_PER_PAGE)), ("x-amz-object-attributes", ",".join(ATTRIBUTES)))
        self._attributes = Shape("GET", (*asked, *common))
        self._further_attributes = Shape("GET", (*asked, *common), ("x-amz-part-number-marker",))

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(self._page_size))]
        query.append(("prefix", prefix))
        if token is not None:
            query.append(("continuation-token", token))
        elif start_after:
            query.append(("start-after", start_after))
        self._calls["list_objects_v2"] += 1
        document = await self._document(self._list, self._base or "/", query)
        return _EMPTY if document is None else _parsed(documents.list_page, document)

    def get(self, request: GetRequest) -> "OpenGet":
        return OpenGet(self, self._caller, request)

    def ask(self, request: GetRequest) -> Awaitable[Connection]:
        """The open answer to `request`. Raises `StoreError`, at once or when awaited."""
        self._calls["get_object"] += 1
        query = ""
        values: tuple[str, ...] = ()
        first_last = request.byte_range
        if request.version_id is not None or request.part_number is not None:
            query = _query(_selection(request))
        if first_last is None:
            shape = self._plain_get if request.if_match is None else self._matching_get
        else:
            shape = self._range_get if request.if_match is None else self._matching_range_get
            values = (f"bytes={first_last[0]}-{first_last[1]}",)
        if request.if_match is not None:
            values = (request.if_match, *values)
        return self._caller.open(shape, self._path(request.key), query, values)

    async def head(self, key: str, *, checksums: bool = False, part_number: int | None = None) -> ObjectMeta:
        self._calls["head_object"] += 1
        shape = self._checked_head if checksums else self._head
        query = "" if part_number is None else _query([("partNumber", str(part_number))])
        connection = await self._caller.open(shape, self._path(key), query)
        meta = answers.object_meta(connection.answer.status, connection.answer.headers)
        self._caller.finish(connection)
        return meta

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        selection = [] if version_id is None else [("versionId", version_id)]

        async def page(marker: int | None) -> Mapping[str, Any]:
            self._calls["get_object_attributes"] += 1
            query = [("attributes", ""), *selection]
            if marker is None:
                document = await self._document(self._attributes, self._path(key), query)
            else:
                shape = self._further_attributes
                document = await self._document(shape, self._path(key), query, (str(marker),))
            return {} if document is None else _parsed(documents.attributes, document)

        return await read_layout(page)

    def statistics(self) -> dict[str, int]:
        return {**self._calls, "requests-repeated": self._caller.repeated, **self._pool.statistics()}

    def _path(self, key: str) -> str:
        try:
            return f"{self._base}/{encode_path(key)}"
        except ValueError as error:
            raise _unusable(f"the key cannot be sent: {error}") from error

    async def _document(
        self, shape: Shape, path: str, query: Iterable[tuple[str, str]], values: tuple[str, ...] = ()
    ) -> documents.Document | None:
        """The XML that answers a request, None for an empty answer. Raises `StoreError`."""
        connection = await self._caller.open(shape, path, _query(query), values)
        headers = connection.answer.headers
        try:
            body = await self._caller.document(connection, LONGEST_PAGE)
        finally:
            self._caller.finish(connection)
        if not body.strip():
            return None
        document = _parsed(documents.read, body)
        if document.name == "Error":
            # The 200 was sent before the trouble came; the SDK calls it a 500 as well.
            raise StoreError(service_fault(500, headers, documents.error(document), self._caller.ours()))
        return document


class OpenGet:
    """The answer to one GET and the context that holds it open: an `ObjectBody` once it is entered."""

    __slots__ = ("_caller", "_connection", "_request", "_store", "meta")

    def __init__(self, store: WireStore, caller: Caller, request: GetRequest) -> None:
        self._store = store
        self._caller = caller
        self._request = request

    async def __aenter__(self) -> Self:
        self._connection = await self._store.ask(self._request)
        answer = self._connection.answer
        self.meta = answers.object_meta(answer.status, answer.headers)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._caller.finish(self._connection)

    def chunks(self) -> AsyncIterator[Piece]:
        """As `ObjectBody.chunks`."""
        # Not a generator: event loops keep a book of these, which costs more than a small body does.
        return self._connection

    def deliver(self, take: Take) -> Coroutine[Any, Any, None]:
        """As `ObjectBody.deliver`."""
        return self._connection.deliver(take)


@asynccontextmanager
async def open_wire_store(
    endpoint: Endpoint,
    authorities: str,
    source: SourceOptions,
    transfer: TransferOptions,
    fetch: FetchKeys,
) -> AsyncIterator[WireStore]:
    """A store with a pool of its own, which is closed in the end. `authorities` is a PEM file."""
    limits = Limits(
        connections=transfer.concurrency + SPARE_CONNECTIONS,
        stall_timeout=transfer.stall_timeout,
        minimum_rate=transfer.minimum_rate,
    )
    tls = tls_context(authorities) if endpoint.secure else None
    pool = Pool(endpoint.host, endpoint.port, tls, limits)
    try:
        yield WireStore(Caller(endpoint, pool, fetch, ServerClock()), pool, endpoint, source)
    finally:
        pool.close()


def _common(source: SourceOptions) -> Pairs:
    """Headers of every request."""
    owner, payer = source.expected_bucket_owner, source.request_payer
    headers = (("x-amz-expected-bucket-owner", owner), ("x-amz-request-payer", payer))
    return tuple((name, value) for name, value in headers if value is not None)


def _selection(request: GetRequest) -> Iterator[tuple[str, str]]:
    if request.part_number is not None:
        yield "partNumber", str(request.part_number)
    if request.version_id is not None:
        yield "versionId", request.version_id


def _query(pairs: Iterable[tuple[str, str]]) -> str:
    try:
        return encode_query(pairs)
    except ValueError as error:
        raise _unusable(f"the query cannot be sent: {error}") from error


def _parsed(parse: Callable[[T], R], given: T) -> R:
    try:
        return parse(given)
    except ValueError as error:
        raise _unusable(str(error)) from error


def _unusable(what: str) -> StoreError:
    return StoreError(Fault(FaultKind.PROTOCOL, what))
