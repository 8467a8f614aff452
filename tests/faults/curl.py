"""A wire store on any server, without the way there: no region discovery, no profile."""

from contextlib import asynccontextmanager

from s3haul.aws.endpoints import authorities
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3.endpoint import Credentials, parse
from s3haul.s3.libcurl import Network
from s3haul.s3.store import CurlStore, open_curl_store

KEYS = Credentials("AK", "the-secret-key", "the-session-token")
QUICK = TransferOptions(stall_timeout=1.0, minimum_rate=10_000, concurrency=1)


async def fetch_credentials() -> Credentials:
    return KEYS


@asynccontextmanager
async def curl_on(url, *, ca=None, source=None, transfer=QUICK, fetch=fetch_credentials, bucket="b", **more):
    """The store of one bucket, path style. `more` are fields of its network."""
    endpoint = parse(f"{url}/{bucket}", "us-east-1")
    network = Network(
        authorities=authorities(ca),
        stall_timeout=transfer.stall_timeout,
        minimum_rate=transfer.minimum_rate,
        **more,
    )
    async with open_curl_store(
        endpoint, network, source or SourceOptions(bucket=bucket), transfer, fetch
    ) as store:
        assert isinstance(store, CurlStore)
        yield store
