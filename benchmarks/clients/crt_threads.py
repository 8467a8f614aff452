"""The AWS Common Runtime as `aws s3` of AWS CLI 2 drives it: s3transfer's CRT manager, one future an object.

AWS CLI 2 is on no package registry, and version 1 has no CRT client; this is the same engine (awscrt) under
the same manager (s3transfer.crt). `crt_threads.py ENDPOINT BUCKET DEST`.
"""

import os
import sys
from concurrent.futures import Future
from pathlib import Path

import botocore.session
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)

AHEAD = 2000
BYTES_PER_SECOND = 10_000_000_000 // 8


def main(endpoint: str, bucket: str, destination: str) -> None:
    session = botocore.session.Session()
    region = session.get_config_variable("region")
    client = create_s3_crt_client(
        region,
        BotocoreCRTCredentialsWrapper(session.get_credentials()).to_crt_credentials_provider(),
        target_throughput=BYTES_PER_SECOND,
        use_ssl=endpoint.startswith("https"),
        verify=os.environ["AWS_CA_BUNDLE"],
    )
    where = {"region_name": region, "endpoint_url": endpoint}
    s3 = session.create_client("s3", **where)
    running: list[Future[None]] = []
    with CRTTransferManager(client, BotocoreCRTRequestSerializer(session, where)) as manager:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                path = Path(destination, entry["Key"])
                path.parent.mkdir(parents=True, exist_ok=True)
                running.append(manager.download(bucket, entry["Key"], str(path)))
            while len(running) > AHEAD:
                running.pop(0).result()
        for future in running:
            future.result()


main(*sys.argv[1:])
