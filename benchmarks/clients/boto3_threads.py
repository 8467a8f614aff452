"""boto3's transfer manager with threads: what `download_file` runs on, with one pool for all objects.

Size and ETag are known from the listing, as the AWS CLI does it, so no HEAD is sent.
`boto3_threads.py ENDPOINT BUCKET DEST`.
"""

import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig, create_transfer_manager
from botocore.config import Config
from s3transfer.subscribers import BaseSubscriber

THREADS = 20
AHEAD = 2000


class Known(BaseSubscriber):  # type: ignore[misc]  # s3transfer is untyped
    """What the listing told of one object."""

    def __init__(self, entry: dict[str, Any]) -> None:
        self._entry = entry

    def on_queued(self, future: Any, **_: object) -> None:
        future.meta.provide_transfer_size(self._entry["Size"])
        future.meta.provide_object_etag(self._entry["ETag"])


def main(endpoint: str, bucket: str, destination: str) -> None:
    config = Config(max_pool_connections=THREADS, s3={"addressing_style": "path"})
    s3 = boto3.client("s3", endpoint_url=endpoint, config=config)
    settings = TransferConfig(
        max_concurrency=THREADS,
        multipart_threshold=64 << 20,
        multipart_chunksize=16 << 20,
        preferred_transfer_client="classic",
    )
    running: list[Future[None]] = []
    with create_transfer_manager(s3, settings) as manager:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                path = Path(destination, entry["Key"])
                path.parent.mkdir(parents=True, exist_ok=True)
                running.append(manager.download(bucket, entry["Key"], str(path), subscribers=[Known(entry)]))
            while len(running) > AHEAD:
                running.pop(0).result()
        for future in running:
            future.result()


main(*sys.argv[1:])
