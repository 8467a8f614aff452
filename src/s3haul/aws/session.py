"""Opens the store for the user's options: profile, credentials, the bucket's region, transport.

It creates and closes the client, and asks on the terminal for the code of an MFA device. It does not list or fetch
objects (the store does), and does not renew credentials (`credentials` does, in the task group of the engine).
"""

import asyncio
import getpass
import os
import re
import termios
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from s3haul.aws.bucket_location import Choice, bucket_region, choose, expected_region
from s3haul.aws.clients import quiet_loggers, s3_client
from s3haul.aws.credentials import RoleCredentials
from s3haul.aws.endpoints import authorities
from s3haul.aws.faults import settings_errors
from s3haul.aws.settings import Settings, resolve
from s3haul.aws.source_credentials import SourceCredentials, load_source
from s3haul.aws.sts import AskMfa, Assume, RoleChain
from s3haul.concurrency import finish_future
from s3haul.core.stats import Timings
from s3haul.errors import CredentialsError
from s3haul.events import Emit
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.s3.endpoint import FetchCredentials
from s3haul.store.protocol import BucketStore, ObjectStore, OnTiming

_MFA_CODE = re.compile(r"\d{6}", re.ASCII)


class OpenStore(NamedTuple):
    """The engine runs `credentials.run()` in its outer task group; None for anonymous requests.

    `transfer` are the options, completed from the AWS configuration. `transport` is "curl" or "sdk";
    `transport_reason` says why. The others are for display; `identity` is the ARN of the role session, or the source.
    """

    store: ObjectStore
    credentials: RoleCredentials | SourceCredentials | None
    transfer: TransferOptions
    timings: Timings
    transport: str
    transport_reason: str
    identity: str
    endpoint: str
    region: str


def checked_settings(access: AccessOptions) -> Settings:
    """The effective settings, with endpoints checked. Raises `ProfileError` or `UsageError`."""
    quiet_loggers()
    with settings_errors():
        return resolve(access)


async def ask_mfa(serial: str) -> str:
    """Ask on the terminal for the code of an MFA device."""
    while True:
        try:
            code = await _prompt(f"MFA code for {serial}: ")
        except EOFError:
            hint = "run it in a terminal, or use a source that needs no MFA"
            raise CredentialsError(
                "an MFA code is needed, but there is no terminal to ask for it", hint=hint, id="S3H-STS-08"
            ) from None
        if _MFA_CODE.fullmatch(code.strip()):
            return code.strip()


async def _prompt(text: str) -> str:
    """As `getpass`, in a thread that nobody waits for: only a key ends it. Cancelled, the terminal is as it was before."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[str] = loop.create_future()

    def read() -> None:
        code, failed = "", None
        try:
            code = getpass.getpass(text)
        except Exception as error:  # noqa: BLE001 - for the caller
            failed = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(finish_future, answer, code, failed)

    with _terminal_kept():
        threading.Thread(target=read, daemon=True).start()
        return await answer


@contextmanager
def _terminal_kept() -> Iterator[None]:
    """Restore the modes of the terminal, if there is one, when the block ends."""
    try:
        terminal = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        yield
        return
    modes = termios.tcgetattr(terminal)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSANOW, modes)
        os.close(terminal)


@asynccontextmanager
async def open_store(
    access: AccessOptions,
    source: SourceOptions,
    transfer: TransferOptions,
    *,
    on_event: Emit,
    ask_mfa: AskMfa = ask_mfa,
    assume: Assume | None = None,
    on_timing: OnTiming | None = None,
) -> AsyncIterator[OpenStore]:
    """The store of `source.bucket`, ready to use. Only the curl transport calls `on_timing`. `assume` gets the sessions
    of the role in another way than by AssumeRole.

    Raises `UsageError`, `AccessError` or `SourceError` before anything is yielded.
    """
    settings = checked_settings(access)
    transfer = _configured(transfer, settings)
    for warning in settings.warnings:
        on_event(warning)
    credentials, fetch = await _credentials(settings, on_event, ask_mfa, access.credential_timeout, assume)
    role = credentials if isinstance(credentials, RoleCredentials) else None

    def opened(bucket: OpenBucket) -> OpenStore:
        return OpenStore(
            store=bucket.store,
            credentials=credentials,
            transfer=transfer,
            timings=bucket.timings,
            transport=bucket.choice.transport,
            transport_reason=bucket.choice.reason,
            identity=role.session.arn if role else str(settings.base),
            endpoint=bucket.client.meta.endpoint_url,
            region=bucket.client.meta.region_name,
        )

    expected = expected_region(settings, source.bucket)
    open_in = partial(
        open_bucket, settings, fetch, source, transfer, transport=access.transport, on_timing=on_timing
    )
    async with open_in(expected) as bucket:
        region = await bucket_region(bucket.store, settings, source.bucket)
        if region == expected:
            yield opened(bucket)
            return
    async with open_in(region) as bucket:
        yield opened(bucket)


def _configured(transfer: TransferOptions, settings: Settings) -> TransferOptions:
    """The options; unset ones are taken from the AWS configuration."""
    attempts = settings.max_attempts if transfer.max_attempts is None else transfer.max_attempts
    return replace(transfer, max_attempts=attempts, bandwidth=transfer.bandwidth or settings.max_bandwidth)


class OpenBucket(NamedTuple):
    """A store, and how it was created."""

    store: BucketStore
    client: Any
    choice: Choice
    timings: Timings


@asynccontextmanager
async def open_bucket(
    settings: Settings,
    fetch: FetchCredentials,
    source: SourceOptions,
    transfer: TransferOptions,
    region: str,
    *,
    transport: str,
    on_timing: OnTiming | None = None,
) -> AsyncIterator[OpenBucket]:
    """Open the bucket with the right transport. Credentials and region are known. Sends nothing."""
    async with AsyncExitStack() as stack:
        client = s3_client(settings, await fetch(), bucket=source.bucket, region=region)
        with settings_errors(settings.given):
            choice = choose(client, source.bucket, transport)
        if choice.endpoint is None:
            from s3haul.aws.sdk import SdkStore, sdk_client  # noqa: PLC0415 - importing aioboto3 is slow

            with settings_errors(settings.given):
                sdk = await stack.enter_async_context(
                    sdk_client(settings, fetch, source.bucket, region, transfer)
                )
            store: BucketStore = SdkStore(sdk, source, transfer, fetch)
            timings = Timings()
        else:
            from s3haul.s3.libcurl import Network  # noqa: PLC0415 - pycurl may be missing
            from s3haul.s3.store import open_curl_store  # noqa: PLC0415 - same

            network = Network(
                authorities=authorities(settings.ca_bundle.value),
                proxy=choice.proxy,
                stall_timeout=transfer.stall_timeout,
                minimum_rate=transfer.minimum_rate,
                on_timing=on_timing,
            )
            curl = await stack.enter_async_context(
                open_curl_store(choice.endpoint, network, source, transfer, fetch)
            )
            store, timings = curl, curl.timings
        yield OpenBucket(store, client, choice, timings)


async def _credentials(
    settings: Settings, on_event: Emit, ask_mfa: AskMfa, credential_timeout: float, assume: Assume | None
) -> tuple[RoleCredentials | SourceCredentials | None, FetchCredentials]:
    if assume is None and not settings.roles:
        source = SourceCredentials(
            lambda: load_source(settings), on_event=on_event, timeout=credential_timeout
        )
        await source.start()
        return (source if source.access_key_id else None), source.current
    chain = RoleChain(settings, ask_mfa=ask_mfa, on_event=on_event)
    renewable = assume is not None or not chain.needs_mfa
    credentials = RoleCredentials(
        assume or chain, on_event=on_event, renewable=renewable, timeout=credential_timeout
    )
    await credentials.start()
    return credentials, credentials.current
