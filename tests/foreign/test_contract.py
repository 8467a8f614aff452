"""The contract of `ObjectStore`, held against both transports on servers that we did not write."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path

import pytest

from contract.suite import ObjectStoreContract, StoreCase, Upload
from foreign.access import keys_profile, role_profile
from foreign.servers import ForeignServer
from s3haul.aws.session import open_store
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import ObjectStore

# aiohttp may leave a TLS connection that a server closes while it is given up to the garbage collector
# (sdk transport). The suite on the embedded server, tests/contract, still takes every unclosed
# connection for an error.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <(function _SelectorTransport.__del__|socket.socket fd)"
    ":pytest.PytestUnraisableExceptionWarning"
)

# What a server cannot do, in the words of `contract.suite.StoreCase`, and why. The rest is tested.
MINISTACK_LACKS = {
    "layout": "GetObjectAttributes gives the parts' sizes without their checksums",
    "parts": "GET with partNumber carries the whole object's checksum instead of the part's",
    "versions": "pages of ListObjectVersions do not give each version once",
}
SEAWEEDFS_LACKS = {
    "kms": "its key identifiers are names, it refuses ARNs",
    "layout": "GetObjectAttributes gives no checksum",
    "odd-keys": "it cleans paths: a//b is a/b, ../x is refused, a backslash is a slash",
    "parts": "GET with partNumber carries no checksum",
    "small-parts": "parts below 5 MiB are refused, as S3 does",
    "versions": "HEAD with a versionId and ListObjectVersions disagree",
}

MOTO_LACKS = {
    "layout": "GetObjectAttributes gives no parts",
    "odd-keys": "a key with a line break cannot be stored",
    "parts": "partNumber is ignored: the whole object comes",
    "small-parts": "parts below 5 MiB are refused, as S3 does",
    "versions": "HEAD with the versionId null is refused",
}


def upload(server: ForeignServer, bucket: str, key: str, one: Upload) -> None:
    more = {"ContentEncoding": one.content_encoding} if one.content_encoding else {}
    if one.part_sizes:
        assert one.algorithm
        starts = [sum(one.part_sizes[:number]) for number in range(len(one.part_sizes))]
        parts = [one.body[at : at + size] for at, size in zip(starts, one.part_sizes, strict=True)]
        kind = "COMPOSITE" if one.composite else "FULL_OBJECT"
        server.seed_multipart(key, parts, one.algorithm, kind, bucket=bucket, **more)
    elif one.algorithm:
        server.seed_checksummed(key, one.body, one.algorithm, bucket=bucket, **more)
    else:
        server.seed({key: one.body}, bucket=bucket, **more)


def case_of(
    server: ForeignServer, profile: AbstractContextManager[Path], lacks: Mapping[str, str], transport: str
) -> StoreCase:
    @asynccontextmanager
    async def opened(
        contents: Mapping[str, Upload], page_size: int, concurrency: int
    ) -> AsyncIterator[ObjectStore]:
        bucket = server.fresh_bucket()
        for key, one in contents.items():
            upload(server, bucket, key, one)
        with profile:
            opening = open_store(
                AccessOptions(profile="export", transport=transport),
                SourceOptions(bucket=bucket, page_size=page_size),
                TransferOptions(concurrency=concurrency),
                on_event=lambda _: None,
            )
            async with opening as store:
                yield store.store

    return StoreCase(opened, frozenset(lacks))


BOTH = pytest.fixture(params=["curl", "sdk"])


class TestOnMiniStack(ObjectStoreContract):
    @BOTH
    def case(self, ministack, tmp_path, request):
        return case_of(ministack, role_profile(ministack, tmp_path), MINISTACK_LACKS, request.param)


class TestOnSeaweedFS(ObjectStoreContract):
    @BOTH
    def case(self, seaweedfs, tmp_path, request):
        keys = keys_profile(seaweedfs, tmp_path, seaweedfs.assume())
        return case_of(seaweedfs, keys, SEAWEEDFS_LACKS, request.param)


class TestOnMoto(ObjectStoreContract):
    @BOTH
    def case(self, moto, tmp_path, request):
        return case_of(moto, role_profile(moto, tmp_path), MOTO_LACKS, request.param)
