"""The default transport: an `ObjectStore` over libcurl. It supports what nearly all buckets need.

It sends requests and parses responses. It returns the same records and raises the same faults as the SDK transport. It
does not retry error responses and does not verify content.
"""

import os
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from s3haul.core.stats import Timings
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ListPage, ObjectMeta, PartLayout, VersionPage
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3 import documents, list_pages, responses
from s3haul.s3.client import Request, RequestClient, Response
from s3haul.s3.documents import ATTRIBUTES, LONGEST_PAGE, PARTS_PER_PAGE, interception, read_layout
from s3haul.s3.endpoint import OTHER_CONNECTIONS, Endpoint, FetchCredentials
from s3haul.s3.faults import refuses_a_header, service_fault
from s3haul.s3.libcurl import Network
from s3haul.s3.list_pages import version_page
from s3haul.s3.signing import Pairs, Shape, encode_path, encode_query
from s3haul.s3.small_object_thread import SmallObjectThread
from s3haul.store.protocol import Chunk, Consume, GetRequest, HeadRequest, OnData, SmallObjectWork

MOST_THREADS = 4  # transfer threads; they share the GIL, so more do not help

T = TypeVar("T")
R = TypeVar("R")

_EMPTY: ListPage = ListPage((), truncated=False, token=None, key_count=None, empty_answer=True)
_NO_VERSIONS = VersionPage((), truncated=False, next_key=None, next_version=None, empty_answer=True)
_CHECKSUMS = ("x-amz-checksum-mode", "ENABLED")


class CurlStore:
    """One bucket, accessed with one client, which `open_curl_store` creates and closes."""

    def __init__(self, client: RequestClient, source: SourceOptions) -> None:
        self._client = client
        self._base = client.endpoint.base
        self._page_size = source.page_size
        common = _common(source)
        self._plain_get = Shape("GET", (_CHECKSUMS, *common))
        self._matching_get = Shape("GET", (_CHECKSUMS, *common), ("if-match",))
        self._range_get = Shape("GET", (_CHECKSUMS, *common), ("range",))
        self._matching_range_get = Shape("GET", (_CHECKSUMS, *common), ("if-match", "range"))
        self._head = Shape("HEAD", common)
        self._checked_head = Shape("HEAD", (_CHECKSUMS, *common))
        self._plain_list = Shape("GET", common)
        self._list = Shape("GET", (("x-amz-optional-object-attributes", "RestoreStatus"), *common))
        attributes = (
            ("x-amz-max-parts", str(PARTS_PER_PAGE)),
            ("x-amz-object-attributes", ",".join(ATTRIBUTES)),
        )
        self._attributes = Shape("GET", (*attributes, *common))
        self._further_attributes = Shape("GET", (*attributes, *common), ("x-amz-part-number-marker",))

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", str(self._page_size))]
        query.append(("prefix", prefix))
        if token is not None:
            query.append(("continuation-token", token))
        elif start_after:
            query.append(("start-after", start_after))
        body, response = await self._listing(query)
        if not body.strip():
            return _EMPTY
        page = _parsed(list_pages.read, body)
        self._refuse_error(page, body, response)
        return _parsed(list_pages.list_page, page)

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        query = [("versions", ""), ("encoding-type", "url"), ("max-keys", str(self._page_size))]
        query.append(("prefix", prefix))
        if marker is not None:
            key, version = marker
            query.append(("key-marker", key))
            query += [("version-id-marker", version)] if version else []
        document = self._read(*await self._listing(query))
        if document is None:
            return _NO_VERSIONS
        return _parsed(version_page, document)

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        meta: ObjectMeta | None = None

        def on_head(status: int, headers: dict[str, str]) -> OnData:
            nonlocal meta
            meta = responses.object_meta(status, headers)
            return consume(meta)

        await self._client.send(self._get(request), on_head)
        assert meta is not None, "a response without an error has headers"
        return meta

    def _get(self, request: GetRequest) -> Request:
        first_last, if_match = request.byte_range, request.if_match
        if first_last is None:
            shape = self._plain_get if if_match is None else self._matching_get
            values: tuple[str, ...] = ()
        else:
            shape = self._range_get if if_match is None else self._matching_range_get
            values = (f"bytes={first_last[0]}-{first_last[1]}",)
        if if_match is not None:
            values = (if_match, *values)
        query = _selection(request.version_id)
        return Request(shape=shape, path=self._path(request.key), query=query, values=values)

    async def head(self, request: HeadRequest) -> ObjectMeta:
        shape = self._checked_head if request.checksums else self._head
        query = _selection(request.version_id, request.part_number)
        sent = Request(shape=shape, path=self._path(request.key), query=query)
        response = await self._client.send(sent, _no_body)
        return responses.object_meta(response.status, response.headers)

    async def bucket_region(self) -> str:
        response = await self._client.send(Request(shape=self._head, path=self._base or "/"), _no_body)
        return response.headers.get("x-amz-bucket-region", "")

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        selection = [] if version_id is None else [("versionId", version_id)]

        async def page(marker: int | None) -> Mapping[str, Any]:
            query = [("attributes", ""), *selection]
            if marker is None:
                document = await self._document(self._attributes, self._path(key), query)
            else:
                shape = self._further_attributes
                document = await self._document(shape, self._path(key), query, (str(marker),))
            return {} if document is None else _parsed(documents.attributes, document)

        return await read_layout(page)

    def small_objects(self, work: SmallObjectWork) -> SmallObjectThread | None:
        return SmallObjectThread(self._client, self._matching_get, work)

    async def _listing(self, query: Sequence[tuple[str, str]]) -> tuple[bytes, Response]:
        """The page of a listing. If the server refuses the optional header, it is left out from then on."""
        path = self._base or "/"
        try:
            return await self._body(self._list, path, query)
        except StoreError as error:
            if self._list is self._plain_list or not refuses_a_header(error.fault):
                raise
        answer = await self._body(self._plain_list, path, query)
        self._list = self._plain_list  # so that restored objects count as archived
        return answer

    @property
    def timings(self) -> Timings:
        """How long its requests and small objects take."""
        return self._client.timings

    def _path(self, key: str) -> str:
        try:
            return f"{self._base}/{encode_path(key)}"
        except ValueError as error:
            raise _unusable(f"the key cannot be sent: {error}") from error

    async def _document(
        self, shape: Shape, path: str, query: Iterable[tuple[str, str]], values: tuple[str, ...] = ()
    ) -> documents.Document | None:
        """The XML document of a response; None if it is empty. Raises `StoreError`."""
        return self._read(*await self._body(shape, path, query, values))

    def _read(self, body: bytes, response: Response) -> documents.Document | None:
        if not body.strip():
            return None
        document = _parsed(documents.read, body)
        self._refuse_error(document, body, response)
        return document

    async def _body(
        self, shape: Shape, path: str, query: Iterable[tuple[str, str]], values: tuple[str, ...] = ()
    ) -> tuple[bytes, Response]:
        chunks: list[Chunk] = []
        request = Request(shape=shape, path=path, query=_query(query), values=values)
        response = await self._client.send(request, lambda _status, _headers: _limited(chunks))
        body = _parsed(documents.plain, b"".join(chunks))
        if page := interception(response.status, response.headers, body):
            raise StoreError(page)
        return body, response

    def _refuse_error(self, document: documents.Document, body: bytes, response: Response) -> None:
        """Raise if the document is an error: S3 may have sent status 200 before the error occurred. It is treated as
        a 500, as in the SDK."""
        if document.name == "Error":
            fields, now = documents.error(body), self._client.clock.ours()
            raise StoreError(service_fault(500, response.headers, fields, now))


@asynccontextmanager
async def open_curl_store(
    endpoint: Endpoint,
    network: Network,
    source: SourceOptions,
    transfer: TransferOptions,
    fetch: FetchCredentials,
) -> AsyncIterator[CurlStore]:
    """A store with its own client, which is closed at the end."""
    client = RequestClient(
        endpoint,
        network,
        fetch,
        connections=transfer.concurrency + OTHER_CONNECTIONS,
        threads=min(MOST_THREADS, os.cpu_count() or 1),
    )
    try:
        yield CurlStore(client, source)
    finally:
        client.close()


def _no_body(_status: int, _headers: dict[str, str]) -> OnData:
    return lambda _piece: None


def _limited(chunks: list[Chunk]) -> OnData:
    """A consumer that collects a document. Raises `StoreError` if it is larger than `LONGEST_PAGE`."""
    size = 0

    def take(chunk: Chunk) -> None:
        nonlocal size
        size += len(chunk)
        if size > LONGEST_PAGE:
            raise _unusable(f"a document of more than {LONGEST_PAGE} bytes")
        chunks.append(bytes(chunk))

    return take


def _common(source: SourceOptions) -> Pairs:
    """Headers of every request."""
    owner, payer = source.expected_bucket_owner, source.request_payer
    headers = (("x-amz-expected-bucket-owner", owner), ("x-amz-request-payer", payer))
    return tuple((name, value) for name, value in headers if value is not None)


def _selection(version_id: str | None, part_number: int | None = None) -> str:
    """The query that selects a version or a part; "" for the whole current version."""
    pairs = [] if part_number is None else [("partNumber", str(part_number))]
    if version_id is not None:
        pairs.append(("versionId", version_id))
    return _query(pairs) if pairs else ""


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
