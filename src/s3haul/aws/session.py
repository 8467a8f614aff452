"""From the user's options to an open store: profile, credentials, the bucket's region, transport.

It reads top to bottom and owns the lifetime of the client. It lists and fetches nothing (`sdk` does)
and keeps no credentials fresh (`credentials` does, in the engine's task group).
"""

import asyncio
import getpass
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from s3haul.aws import refusals
from s3haul.aws.carrier import authorities, call
from s3haul.aws.clients import quiet_loggers, s3_client
from s3haul.aws.config.profile import Settings, resolve
from s3haul.aws.credentials import RoleCredentials
from s3haul.aws.guard import guarded
from s3haul.aws.source_credentials import SourceCredentials
from s3haul.aws.sources import load_source
from s3haul.aws.sts import AskMfa, RoleChain
from s3haul.aws.translate import FOREIGN, translate
from s3haul.aws.transport import Choice, choose
from s3haul.errors import CredentialsError, FaultKind, SourceError
from s3haul.events import Emit
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.policies.names import Arn
from s3haul.s3.credentials import FetchCredentials
from s3haul.store.protocol import ObjectStore

_REGION = re.compile(r"[a-z0-9-]{1,40}", re.ASCII)
_MFA_CODE = re.compile(r"\d{6}", re.ASCII)


class Effective(NamedTuple):
    """What a run really uses, for display. `identity` is the ARN of the role's session, or the source."""

    profile: str | None
    endpoint: str
    sts_endpoint: str | None
    region: str
    identity: str
    role_arn: str | None
    settings: Settings


class OpenStore(NamedTuple):
    """`credentials.run()` belongs into the engine's outer task group; None where nothing needs it.

    `transfer` are the options of the run with what the AWS configuration says of them. `transport` is "curl" or
    "sdk", `transport_reason` says why in a few words.
    """

    store: ObjectStore
    effective: Effective
    credentials: RoleCredentials | SourceCredentials | None
    transfer: TransferOptions
    transport: str = "sdk"
    transport_reason: str = ""


def checked_settings(access: AccessOptions) -> Settings:
    """The effective settings, and endpoints that may be used. Raises `ProfileError` or `UsageError`."""
    quiet_loggers()
    with guarded():
        return resolve(access)


async def ask_mfa(serial: str) -> str:
    """Asks on the terminal for the code of one device, off the event loop."""
    while True:
        try:
            code = await asyncio.to_thread(getpass.getpass, f"MFA code for {serial}: ")
        except EOFError:
            hint = "run it on a terminal, or use a source that needs no MFA"
            raise CredentialsError(
                "nobody is there to give the MFA code", hint=hint, id="S3H-STS-08"
            ) from None
        if _MFA_CODE.fullmatch(code.strip()):
            return code.strip()


@asynccontextmanager
async def open_store(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    *,
    on_event: Emit,
    ask_mfa: AskMfa = ask_mfa,
) -> AsyncIterator[OpenStore]:
    """The store of `source.bucket`, ready to use.

    Raises `UsageError`, `AccessError` or `SourceError` before anything is yielded.
    """
    settings = checked_settings(access)
    transfer = _configured(transfer, settings)
    for warning in settings.warnings:
        on_event(warning)
    credentials, fetch = await _credentials(settings, on_event, ask_mfa, access.credential_patience)
    region, asked = await _bucket_region(settings, fetch, source)
    opening = open_bucket(settings, fetch, region, source, transfer, transport=access.transport, asked=asked)
    async with opening as bucket:
        effective = _effective(settings, credentials, bucket.client)
        choice = bucket.choice
        yield OpenStore(bucket.store, effective, credentials, transfer, choice.transport, choice.reason)


def _configured(transfer: TransferOptions, settings: Settings) -> TransferOptions:
    """With what the AWS configuration says of transfers, where the options say nothing."""
    attempts = settings.max_attempts if transfer.max_attempts is None else transfer.max_attempts
    return replace(transfer, max_attempts=attempts, bandwidth=transfer.bandwidth or settings.max_bandwidth)


class OpenBucket(NamedTuple):
    """A store and what it was made of."""

    store: ObjectStore
    client: Any
    choice: Choice


@asynccontextmanager
async def open_bucket(
    settings: Settings,
    fetch: FetchCredentials,
    region: str,
    source: SourceOptions,
    transfer: TransferOptions,
    *,
    transport: str,
    asked: Any = None,
) -> AsyncIterator[OpenBucket]:
    """The bucket through the transport that suits it, for credentials and region that are known.

    `asked` is a client of this region that was made already.
    """
    async with AsyncExitStack() as stack:
        client = asked
        if client is None:
            client = s3_client(settings, await fetch(), bucket=source.bucket, region=region)
        with guarded(settings.given):
            choice = choose(client, source.bucket, transport)
        if choice.endpoint is None:
            from s3haul.aws.sdk import SdkStore  # noqa: PLC0415 - loads aioboto3, which others can spare
            from s3haul.aws.sdk_client import sdk_client  # noqa: PLC0415 - same

            made = sdk_client(settings, fetch, source.bucket, region, transfer)
            with guarded(settings.given):
                sdk = await stack.enter_async_context(made)
            store: ObjectStore = SdkStore(sdk, source, transfer, fetch)
        else:
            from s3haul.s3.handles import Network  # noqa: PLC0415 - pycurl may not be installed
            from s3haul.s3.store import open_curl_store  # noqa: PLC0415

            network = Network(
                authorities=authorities(settings.ca_bundle.value),
                proxy=choice.proxy,
                stall_timeout=transfer.stall_timeout,
                minimum_rate=transfer.minimum_rate,
                maximum_rate=transfer.bandwidth or 0,
            )
            store = await stack.enter_async_context(
                open_curl_store(choice.endpoint, network, source, transfer, fetch)
            )
        yield OpenBucket(store, client, choice)


async def _credentials(
    settings: Settings, on_event: Emit, ask_mfa: AskMfa, patience: float
) -> tuple[RoleCredentials | SourceCredentials | None, FetchCredentials]:
    if not settings.roles:
        source = SourceCredentials(lambda: load_source(settings), on_event=on_event, hold=patience)
        await source.start()
        return (source if source.access_key_id else None), source.current
    chain = RoleChain(settings, ask_mfa=ask_mfa, on_event=on_event)
    credentials = RoleCredentials(chain, on_event=on_event, renewable=not chain.needs_mfa, hold=patience)
    await credentials.start()
    return credentials, credentials.current


async def _bucket_region(
    settings: Settings, fetch: FetchCredentials, source: SourceOptions
) -> tuple[str, Any | None]:
    """Where the bucket is, from the header that S3 sends with 200, 301, 400 and 403 alike.

    Access point ARNs name their region, or have none; directory buckets and most other servers send no header,
    so there the configured region stands. If a client of that very region asked, it comes along.
    """
    configured = settings.region.value or ""
    if source.bucket.endswith("--x-s3"):
        return configured, None
    arn = Arn.parse(source.bucket)
    asked = (arn.region if arn else "") or configured
    found, client = await _ask_region(settings, fetch, source, asked)
    region = found if arn is None and _REGION.fullmatch(found) else asked
    return region, client if region == asked else None


async def _ask_region(
    settings: Settings, fetch: FetchCredentials, source: SourceOptions, region: str
) -> tuple[str, Any]:
    request: dict[str, Any] = {"Bucket": source.bucket}
    if source.expected_bucket_owner:
        request["ExpectedBucketOwner"] = source.expected_bucket_owner
    client = s3_client(settings, await fetch(), bucket=source.bucket, region=region)
    try:
        answer = await call(lambda: client.head_bucket(**request))
    except FOREIGN as error:
        return _region_of_refusal(error, source.bucket, settings), client
    return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", "")), client


def _region_of_refusal(error: Exception, bucket: str, settings: Settings) -> str:
    """A refusal that names the region, or may be about this one call, is fine; the listing will tell."""
    fault = translate(error)
    if fault.region or fault.code == "PermanentRedirect":
        return fault.region
    if fault.kind is not FaultKind.HTTP:
        raise refusals.unreachable("S3", fault, error, settings.given) from None
    if fault.status == 404 and not _is_typed_html(error):
        hint = "check the name; --endpoint-url and the profile's endpoint decide where it is looked for"
        what = "access point" if bucket.startswith("arn:") else "bucket"
        raise SourceError(
            f"the {what} {bucket!r} does not exist", hint=hint, seen=fault.message, id="S3H-S3-01"
        )
    return ""


def _is_typed_html(error: Exception) -> bool:
    """A HEAD has no body to tell whose page it would be: the listing will."""
    metadata = getattr(error, "response", {}).get("ResponseMetadata", {})
    return str(metadata.get("HTTPHeaders", {}).get("content-type", "")).startswith("text/html")


def _effective(settings: Settings, credentials: object, client: Any) -> Effective:
    return Effective(
        profile=settings.profile.value,
        endpoint=client.meta.endpoint_url,
        sts_endpoint=settings.sts_endpoint_url.value,
        region=client.meta.region_name,
        identity=credentials.session.arn if isinstance(credentials, RoleCredentials) else str(settings.base),
        role_arn=settings.role.role_arn if settings.role else None,
        settings=settings,
    )
