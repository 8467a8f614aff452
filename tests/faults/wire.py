"""A wire store on any server, without the way there: no region discovery, no profile."""

from contextlib import asynccontextmanager

from s3haul.s3.keys import Keys
from s3haul.aws.transport import authorities
from s3haul.s3.endpoint import parse
from s3haul.aws.wire.store import WireStore, open_wire_store
from s3haul.options import SourceOptions, TransferOptions

KEYS = Keys("AK", "the-secret-key", "the-session-token")
QUICK = TransferOptions(stall_timeout=1.0, minimum_rate=10_000, concurrency=1)


async def fetch_keys() -> Keys:
    return KEYS


@asynccontextmanager
async def wire_on(url, *, ca=None, source=None, transfer=QUICK, fetch=fetch_keys, bucket="b"):
    """The store of one bucket, path style."""
    endpoint = parse(f"{url}/{bucket}", "us-east-1")
    async with open_wire_store(
        endpoint, authorities(ca), source or SourceOptions(bucket=bucket), transfer, fetch
    ) as store:
        assert isinstance(store, WireStore)
        yield store
