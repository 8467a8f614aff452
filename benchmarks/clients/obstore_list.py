"""obstore: the whole listing, page after page, and a line for each key: `obstore_list.py ENDPOINT BUCKET`."""

import asyncio
import sys

from obstore.store import S3Store


async def main(endpoint: str, bucket: str) -> None:
    store = S3Store(
        bucket, endpoint=endpoint, virtual_hosted_style_request=False, client_options={"allow_http": True}
    )
    async for page in store.list():
        sys.stdout.write("".join(f"{entry['path']}\n" for entry in page))


asyncio.run(main(*sys.argv[1:]))
