"""obstore: list and get in asyncio, whole small objects, large ones in ranges, written by position.

obstore has no call that copies a bucket; this is the least code that uses it well. `obstore_get.py ENDPOINT
BUCKET DEST TASKS`.
"""

import asyncio
import os
import sys
from pathlib import Path

from obstore.store import S3Store

RANGE = 16 << 20
AHEAD = 4096


async def main(endpoint: str, bucket: str, destination: str, tasks: str) -> None:
    store = S3Store(
        bucket,
        endpoint=endpoint,
        virtual_hosted_style_request=False,
        client_options={"allow_http": True},
    )
    queue: asyncio.Queue[tuple[str, int, int] | None] = asyncio.Queue(AHEAD)
    made: set[Path] = set()

    async def work() -> None:
        while (target := await queue.get()) is not None:
            key, start, end = target
            body = await store.get_range_async(key, start=start, end=end)
            path = Path(destination, key)
            if path.parent not in made:
                path.parent.mkdir(parents=True, exist_ok=True)
                made.add(path.parent)
            handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
            view, at = memoryview(body), start
            while view:
                written = os.pwrite(handle, view, at)
                view, at = view[written:], at + written
            os.close(handle)

    async with asyncio.TaskGroup() as group:
        for _ in range(int(tasks)):
            group.create_task(work())
        async for page in store.list():
            for entry in page:
                for start in range(0, entry["size"], RANGE):
                    await queue.put((entry["path"], start, min(start + RANGE, entry["size"])))
        for _ in range(int(tasks)):
            await queue.put(None)


asyncio.run(main(*sys.argv[1:]))
