"""s3fs as its documentation shows it: one recursive get. `s3fs_get.py ENDPOINT BUCKET DEST`."""

import sys

import s3fs

FILES = 32
RANGES = 8


def main(endpoint: str, bucket: str, destination: str) -> None:
    files = s3fs.S3FileSystem(
        endpoint_url=endpoint,
        max_concurrency=RANGES,
        config_kwargs={"max_pool_connections": FILES * RANGES, "s3": {"addressing_style": "path"}},
    )
    files.get(f"{bucket}/", f"{destination}/", recursive=True, batch_size=FILES)


main(*sys.argv[1:])
