"""The implementations that the contract is held to. To add one, write its `open` and give it an entry."""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trustme

from contract.demo_access import demo_profile
from contract.memory import MemoryStore, stored
from contract.suite import StoreCase, Upload
from s3haul.aws.session import open_store
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import ObjectStore

MAY_SEE_PARTS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": "s3:GetObjectAttributes",
            "Resource": f"arn:aws:s3:::{seed.BUCKET}/*",
        }
    ],
}
MAY_SEE_VERSIONS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:ListBucketVersions", "s3:GetObjectVersion"],
            "Resource": [f"arn:aws:s3:::{seed.BUCKET}", f"arn:aws:s3:::{seed.BUCKET}/*"],
        }
    ],
}


@asynccontextmanager
async def open_memory(
    contents: Mapping[str, Upload], page_size: int, concurrency: int
) -> AsyncIterator[ObjectStore]:
    objects = {
        key: stored(one.body, algorithm=one.algorithm, part_sizes=one.part_sizes, composite=one.composite)
        for key, one in contents.items()
    }
    store = MemoryStore(objects, page_size=page_size, connections=concurrency)
    yield store
    assert store.open_bodies == 0


@asynccontextmanager
async def open_on_demo(
    contents: Mapping[str, Upload], page_size: int, concurrency: int, *, transport: str, tls: bool = True
) -> AsyncIterator[ObjectStore]:
    with DemoServer(tls=tls) as server, tempfile.TemporaryDirectory() as directory:
        server.cloud.roles[seed.ROLE_ARN].policies += [MAY_SEE_PARTS, MAY_SEE_VERSIONS]
        for key, one in contents.items():
            server.cloud.put(
                seed.BUCKET,
                key,
                one.body,
                checksum=one.algorithm,
                checksum_type="COMPOSITE" if one.composite else "FULL_OBJECT",
                part_sizes=one.part_sizes,
                content_encoding=one.content_encoding,
                sse="aws:kms" if tls else "AES256",
            )
        source = SourceOptions(bucket=seed.BUCKET, page_size=page_size)
        transfer = TransferOptions(concurrency=concurrency)
        access = AccessOptions(profile="export", transport=transport)
        ca = str(server.ca_path or certificate(directory))
        with demo_profile(server, Path(directory), ca=ca):
            async with open_store(access, source, transfer, on_event=lambda _: None) as opened:
                assert opened.transport == transport
                yield opened.store


def certificate(directory: str) -> Path:
    """Any authority's: the profile names one, though plain http has no use for it."""
    path = Path(directory, "ca.pem")
    trustme.CA().cert_pem.write_to_path(str(path))
    return path


STORES: dict[str, StoreCase] = {
    "memory": StoreCase(open_memory),
    "sdk-on-demo": StoreCase(partial(open_on_demo, transport="sdk")),
    "curl-on-demo": StoreCase(partial(open_on_demo, transport="curl")),
    "curl-on-demo-http": StoreCase(partial(open_on_demo, transport="curl", tls=False), frozenset({"kms"})),
}
