"""Stores on servers of a test's own, and what a request of theirs met."""

from contextlib import asynccontextmanager

import pytest

from contract.demo_access import only_this_aws
from contract.loading import loaded
from faults.canned import canned
from s3haul.aws.session import open_store
from s3haul.errors import Fault, StoreError
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import GetRequest, ObjectStore

QUICK = TransferOptions(stall_timeout=1.0, minimum_rate=10_000)


async def read(store: ObjectStore, key: str = "a", **request) -> bytes:
    async with loaded(store, GetRequest(key, **request)) as body:
        return body.body


async def fault_of(awaitable) -> Fault:
    with pytest.raises(StoreError) as caught:
        await awaitable
    return caught.value.fault


@asynccontextmanager
async def store_on(
    port,
    transport,
    source=None,
    *,
    tls=False,
    ca=None,
    transfer=QUICK,
    host="127.0.0.1",
    **variables,
):
    """A store on any server, with keys from the environment."""
    access = AccessOptions(
        endpoint_url=f"{'https' if tls else 'http'}://{host}:{port}", ca_bundle=ca, transport=transport
    )
    source = source or SourceOptions(bucket="b")
    nowhere = {"AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    keys = {
        "AWS_ACCESS_KEY_ID": "AK",
        "AWS_SECRET_ACCESS_KEY": "SK",
        "AWS_SESSION_TOKEN": "the-session-token",
    }
    with only_this_aws(**keys, **nowhere, **variables):
        async with open_store(access, source, transfer, on_event=lambda _: None) as opened:
            yield opened.store


@asynccontextmanager
async def canned_store(answer_, transport):
    async with canned(lambda _: answer_) as server, store_on(server.port, transport) as store:
        yield store
