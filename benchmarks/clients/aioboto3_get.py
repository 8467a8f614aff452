"""The rival that everybody writes first: aioboto3 lists and gets, aiofiles writes, 32 tasks, nothing else.

No verification, no resume, no account of what was copied. `aioboto3_get.py ENDPOINT BUCKET DEST`.
"""

import asyncio
import sys
from pathlib import Path

import aioboto3
import aiofiles
from aiobotocore.config import AioConfig

WORKERS = 32
CHUNK = 1 << 20


async def main(endpoint: str, bucket: str, destination: str) -> None:
    queue: asyncio.Queue[str | None] = asyncio.Queue(4 * WORKERS)
    config = AioConfig(max_pool_connections=WORKERS, s3={"addressing_style": "path"})

    async def work() -> None:
        while (key := await queue.get()) is not None:
            path = Path(destination, key)
            path.parent.mkdir(parents=True, exist_ok=True)
            answer = await s3.get_object(Bucket=bucket, Key=key)
            async with aiofiles.open(path, "wb") as file:
                async for chunk in answer["Body"].iter_chunks(CHUNK):
                    await file.write(chunk)

    async with (
        aioboto3.Session().client("s3", endpoint_url=endpoint, config=config) as s3,
        asyncio.TaskGroup() as tasks,
    ):
        for _ in range(WORKERS):
            tasks.create_task(work())
        async for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
            for entry in page.get("Contents", []):
                await queue.put(entry["Key"])
        for _ in range(WORKERS):
            await queue.put(None)


asyncio.run(main(*sys.argv[1:]))
