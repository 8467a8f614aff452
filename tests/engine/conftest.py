from contract import memory
from s3haul.store import GetRequest


async def head(self, key, *, checksums=False):
    try:
        found = self._find(key, None)
    except memory.StoreError:
        raise memory.refused(404, "404", "Not Found") from None
    meta, _ = memory.answer(memory.replace(found, restored=True), GetRequest(key))
    meta = memory.replace(meta, restored=found.restored)
    if not checksums:
        meta = memory.replace(meta, checksums=())
    call = await self._called("head", key, meta)
    return call.answer


memory.MemoryStore.head = head
