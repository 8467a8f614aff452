"""The SDK transport: an `ObjectStore` over one aioboto3 S3 client.

It sends requests and parses responses. It does not retry and does not verify content (`store` and the engine do). The
checksum validation of the SDK is switched off: it does not support most checksums, and fails some valid responses.

`sdk_client` creates the client with our own credentials and a stricter HTTP layer. That corrects the aiohttp session of
the pinned aiobotocore, which accepts a certificate for any host name, verifies nothing behind an HTTPS proxy, does not
verify if the CA bundle setting is empty, and follows redirects with the session token.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import datetime
from ssl import SSLContext
from typing import Any, TypeVar

import aioboto3
import aiohttp
from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.config import AioConfig
from aiobotocore.credentials import AioCredentialResolver, AioCredentials
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import AioSession
from botocore.credentials import ReadOnlyCredentials
from botocore.httpsession import get_cert_path
from botocore.utils import parse_timestamp

from s3haul import __version__
from s3haul.aws.clients import s3_options, service_models
from s3haul.aws.config_file import nest_s3_section
from s3haul.aws.endpoints import tls_context
from s3haul.aws.faults import BOTO_ERRORS, handshake_kind, translate
from s3haul.aws.http_client import PARSER_ERRORS, NoResponse, RedirectRefused
from s3haul.aws.settings import Settings
from s3haul.concurrency import in_thread
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ListPage, ObjectMeta, PartLayout, VersionPage
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3 import responses
from s3haul.s3.documents import (
    ATTRIBUTES,
    PARTS_PER_PAGE,
    error_fields,
    interception,
    plain,
    read,
    read_layout,
)
from s3haul.s3.endpoint import CONNECT_TIMEOUT, OTHER_CONNECTIONS, REDIRECTS, FetchCredentials
from s3haul.s3.faults import refuses_a_header, service_fault
from s3haul.store.protocol import Consume, GetRequest, HeadRequest, OnData, SmallObjectWork

T = TypeVar("T")

LARGEST_CHUNK = 1024 * 1024
# What a call may raise for external reasons.
SDK_ERRORS = (*BOTO_ERRORS, *PARSER_ERRORS, aiohttp.ClientError)


class SdkStore:
    """One bucket, accessed with one client, which `session.open_store` creates and closes.

    `fetch` returns the current credentials. It is awaited before each request and outside its timeout, because it may
    wait minutes for a renewal.
    """

    def __init__(
        self,
        client: Any,
        source: SourceOptions,
        transfer: TransferOptions,
        fetch: FetchCredentials,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._client = client
        self._fetch = fetch
        self._source = source
        self._transfer = transfer
        self._common = {
            "Bucket": source.bucket,
            "ExpectedBucketOwner": source.expected_bucket_owner,
            "RequestPayer": source.request_payer,
        }
        # Attributes that are requested with each listing.
        self._restores: list[str] | None = ["RestoreStatus"]
        client.meta.events.register("before-call.s3.GetObject", _disable_checksum_validation)

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:
        first = start_after if start_after and token is None else None
        answer = await self._listing("list_objects_v2", prefix, ContinuationToken=token, StartAfter=first)
        return _parsed(responses.list_page, answer)

    async def list_versions(
        self, prefix: str, *, marker: tuple[str, str | None] | None = None
    ) -> VersionPage:
        key, version = marker or (None, None)
        answer = await self._listing("list_object_versions", prefix, KeyMarker=key, VersionIdMarker=version)
        return _parsed(responses.version_page, answer)

    async def _listing(self, operation: str, prefix: str, **place: str | None) -> dict[str, Any]:
        """The page of a listing. If the server refuses the optional header, it is left out from then on."""
        request = {
            "Prefix": prefix,
            "EncodingType": "url",  # if set here, it is decoded by us: botocore makes one key of several that are not UTF-8
            "MaxKeys": self._source.page_size,
            **place,
        }
        try:
            return await self._call(operation, OptionalObjectAttributes=self._restores, **request)
        except StoreError as error:
            if self._restores is None or not refuses_a_header(error.fault):
                raise
        answer = await self._call(operation, **request)
        self._restores = None  # restored objects then count as archived
        return answer

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        first_last = request.byte_range
        answer = await self._call(
            "get_object",
            Key=request.key,
            ChecksumMode="ENABLED",
            IfMatch=request.if_match,
            VersionId=request.version_id,
            Range=None if first_last is None else f"bytes={first_last[0]}-{first_last[1]}",
        )
        stream = answer["Body"]
        try:
            meta = _meta(answer)
            take = await in_thread(None, consume, meta)
            await self._receive(stream, take)
        finally:
            # After the end of the body, the connection is back in the pool. Before the end, abort it: a graceful
            # TLS close waits for the server, and could last longer than the client.
            if (connection := stream.connection) is not None and connection.transport is not None:
                connection.transport.abort()
            stream.close()
        return meta

    async def _receive(self, stream: Any, take: OnData) -> None:
        """Pass the body to `take`. Time spent in `take` does not count for the minimum rate."""
        waited, received = 0.0, 0
        while True:
            began = self._clock()
            try:
                chunk = await stream.read(LARGEST_CHUNK)
            except SDK_ERRORS as error:
                raise StoreError(sdk_fault(error)) from error
            if not chunk:
                return
            waited += self._clock() - began
            received += len(chunk)
            if waited >= self._transfer.stall_timeout:
                self._check_rate(received, waited)
                waited, received = 0.0, 0
            await in_thread(None, take, chunk)

    def _check_rate(self, received: int, waited: float) -> None:
        if received < self._transfer.minimum_rate * waited:
            slow = f"{received} bytes in {waited:.1f} s are less than {self._transfer.minimum_rate} bytes/s"
            raise StoreError(Fault(FaultKind.STALL, slow))

    async def head(self, request: HeadRequest) -> ObjectMeta:
        answer = await self._call(
            "head_object",
            Key=request.key,
            ChecksumMode="ENABLED" if request.checksums else None,
            PartNumber=request.part_number,
            VersionId=request.version_id,
        )
        return _meta(answer)

    async def bucket_region(self) -> str:
        answer = await self._call("head_bucket", RequestPayer=None)
        return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))

    async def part_layout(self, key: str, *, version_id: str | None = None) -> PartLayout | None:
        async def page(marker: int | None) -> Mapping[str, Any]:
            return await self._call(
                "get_object_attributes",
                Key=key,
                VersionId=version_id,
                ObjectAttributes=list(ATTRIBUTES),
                MaxParts=PARTS_PER_PAGE,
                PartNumberMarker=marker,
            )

        return await read_layout(page)

    def small_objects(self, work: SmallObjectWork) -> None:  # noqa: ARG002 - not supported here
        return None

    async def _call(self, operation: str, **arguments: Any) -> dict[str, Any]:
        """Send one request. Raises `StoreError`. The timeout limits the time for all headers, since a server may send
        them byte by byte without end."""
        request = {name: value for name, value in (self._common | arguments).items() if value is not None}
        try:
            await self._fetch()
            async with asyncio.timeout(CONNECT_TIMEOUT + 2 * self._transfer.stall_timeout):
                answer: dict[str, Any] = await getattr(self._client, operation)(**request)
        except SDK_ERRORS as error:
            raise StoreError(sdk_fault(error)) from error
        status = answer["ResponseMetadata"]["HTTPStatusCode"]
        if status not in {200, 206}:
            raise StoreError(Fault(FaultKind.PROTOCOL, f"status {status} for {operation}", status=status))
        return answer


def sdk_fault(error: BaseException) -> Fault:
    """The fault of a failed call: `translate`, and the exceptions of aiohttp."""
    fault = translate(error)
    if fault.kind is FaultKind.LOCAL:
        return fault
    if isinstance(error, aiohttp.ClientSSLError):
        return replace(fault, kind=handshake_kind(error))
    lost = isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientConnectionError)
    return replace(fault, kind=FaultKind.BROKEN) if lost and fault.kind is FaultKind.PROTOCOL else fault


def _disable_checksum_validation(params: dict[str, Any], **_: Any) -> None:
    """An event handler. It must return None: botocore would take another value as the response."""
    params["context"].pop("checksum", None)


def _check_document(response_dict: dict[str, Any], **_: Any) -> None:
    """An event handler for the document of a success. Raises ValueError if it is not XML, and `NoResponse` if it is an
    error: S3 may have sent the status before the error occurred. Returns None as above."""
    body = response_dict["body"]
    if isinstance(body, bytes) and body.strip():
        body = response_dict["body"] = plain(body)
        if read(body).name == "Error":
            headers = response_dict["headers"]
            fields = error_fields(500, headers, body)
            raise NoResponse(fault=service_fault(500, headers, fields, time.time()))
        # botocore's own handler makes it 500 if it could not parse the document.
        response_dict["status_code"] = 200


def _parsed(parse: Callable[[dict[str, Any]], T], answer: dict[str, Any]) -> T:
    try:
        return parse(answer)
    except KeyError as error:
        raise StoreError(Fault(FaultKind.PROTOCOL, f"an entry without a {error.args[0]}")) from error


def _timestamp(value: Any) -> datetime | None:
    """botocore would refuse the whole response for a time in another format."""
    try:
        moment: datetime = parse_timestamp(value)
    except (ValueError, RuntimeError, OverflowError):
        return None
    return moment


def _meta(answer: dict[str, Any]) -> ObjectMeta:
    metadata = answer["ResponseMetadata"]
    return responses.object_meta(metadata["HTTPStatusCode"], metadata["HTTPHeaders"])


class _NoRedirects:
    """An aiohttp session that follows no redirects, and whose header values are always valid UTF-8."""

    def __init__(self, session: Any) -> None:
        self._session = session

    async def request(self, method: str, **arguments: Any) -> Any:
        response = await self._session.request(method, allow_redirects=False, **arguments)
        # User metadata may contain any byte, but aiobotocore decodes all headers as UTF-8, and raises.
        raw = response._raw_headers  # noqa: SLF001 - the public property is cached at the first read
        response._raw_headers = tuple((name, _as_utf8(value)) for name, value in raw)  # noqa: SLF001
        return response


def _as_utf8(value: bytes) -> bytes:
    return value.decode("utf-8", "replace").encode()


class StrictSession(AIOHTTPSession):  # type: ignore[misc]
    """Pass it as `http_session_cls`. The private methods are those of aiobotocore 2.25.1."""

    def __init__(self, *, verify: Any = None, **arguments: Any) -> None:
        # An empty AWS_CA_BUNDLE arrives as "", which aiobotocore takes as "do not verify".
        super().__init__(verify=verify or True, **arguments)

    def _get_ssl_context(self) -> SSLContext:
        context: SSLContext = super()._get_ssl_context()
        context.check_hostname = True
        return context

    def _setup_proxy_ssl_context(self, proxy_url: str) -> SSLContext:
        context: SSLContext | None = super()._setup_proxy_ssl_context(proxy_url)
        if context is None:
            context = self._get_ssl_context()
            context.load_verify_locations(get_cert_path(self._verify))
        return context

    def _create_connector(self, proxy_url: str | None) -> aiohttp.TCPConnector:
        if proxy_url or self._cert_file:
            connector: aiohttp.TCPConnector = super()._create_connector(proxy_url)
            return connector
        context = tls_context(get_cert_path(self._verify))
        return aiohttp.TCPConnector(limit=self._max_pool_connections, ssl=context, **self._connector_args)

    async def _get_session(self, proxy_url: str | None) -> _NoRedirects:
        return _NoRedirects(await super()._get_session(proxy_url))

    async def send(self, request: Any) -> AioAWSResponse:
        """Raises `RedirectRefused`, or `NoResponse` for any error. Not inside the parent's `send`, which would turn them into errors
        that are retried."""
        response = await super().send(request)
        if response.status_code in REDIRECTS:
            response.raw.close()
            raise RedirectRefused.of(response)
        status, headers = response.status_code, response.headers
        if status >= 400:
            # botocore's parser finds no code in some documents that `error_fields` can read.
            body = await response.content
            fields = error_fields(status, headers, body)
            page = interception(status, headers, body)
            raise NoResponse(fault=page or service_fault(status, headers, fields, time.time()))
        return response


class StrictConfig(AioConfig):  # type: ignore[misc]
    """A client configuration that stays strict when botocore merges it with another."""

    def __init__(self, **options: Any) -> None:
        super().__init__(http_session_cls=StrictSession, **options)

    def merge(self, other_config: Any) -> AioConfig:
        merged = super().merge(other_config)
        merged.http_session_cls = StrictSession
        return merged


class LiveCredentials(AioCredentials):  # type: ignore[misc]
    """Credentials for botocore that `fetch` keeps valid. botocore calls this class before every signature."""

    def __init__(self, fetch: FetchCredentials) -> None:
        super().__init__("", "", method="s3haul")
        self._fetch = fetch

    async def get_frozen_credentials(self) -> ReadOnlyCredentials:
        keys = await self._fetch()
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token, None)


class _OnlyProvider:
    """The only credential provider of the session, in place of botocore's chain of providers."""

    METHOD = "s3haul"
    CANONICAL_NAME = None

    def __init__(self, fetch: FetchCredentials) -> None:
        self._fetch = fetch

    async def load(self) -> LiveCredentials:
        return LiveCredentials(self._fetch)


def sdk_client(
    settings: Settings, fetch: FetchCredentials, bucket: str, region: str, transfer: TransferOptions
) -> AbstractAsyncContextManager[Any]:
    """A client for the bucket's region. It does not retry: `store` does."""
    session = AioSession(profile=settings.profile.value)
    session.register_component("data_loader", service_models())
    session.register_component("credential_provider", AioCredentialResolver([_OnlyProvider(fetch)]))
    session.register("before-parse.s3", _check_document)
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_timestamp)
    session.set_default_client_config(StrictConfig(defaults_mode="legacy"))  # as in `clients`
    config = StrictConfig(
        max_pool_connections=transfer.concurrency + OTHER_CONNECTIONS,
        connect_timeout=CONNECT_TIMEOUT,
        read_timeout=transfer.stall_timeout,
        retries={"mode": "standard", "total_max_attempts": 1},
        user_agent_extra=f"s3haul/{__version__}",
        **s3_options(settings, bucket),
    )
    client: AbstractAsyncContextManager[Any] = aioboto3.Session(
        botocore_session=nest_s3_section(session)
    ).client(
        "s3",
        region_name=region,
        endpoint_url=settings.endpoint_url.value,
        verify=settings.ca_bundle.value,
        config=config,
    )
    return client
