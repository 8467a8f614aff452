"""A file that the journal does not know is already at the path of an object: is it that object?

Yes if its bytes match the checksum that S3 stores or, where S3 stores none, if size and modification time
match, as for `aws s3 sync`. Otherwise the object is fetched.
"""

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from s3haul.concurrency import in_thread, shielded
from s3haul.core.checksums import Composite, Unverifiable
from s3haul.core.verification import (
    Parts,
    Proof,
    Verifier,
    demand_encryption,
    prove,
    stored_checksum,
    verifier_for,
)
from s3haul.engine.context import Context
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.target import done
from s3haul.errors import StoreError
from s3haul.models import ObjectMeta, ObjectRef, Outcome, SafePath, Verdict, same_etag
from s3haul.store.protocol import HeadRequest
from s3haul.store.retrying import GaveUpError

BLOCK = 4 << 20
SAME_TIME = 1.0  # seconds; file systems round times differently


async def verify_existing(ctx: Context, ref: ObjectRef, path: SafePath) -> Outcome | None:
    """The Outcome if the file is the object; None if the object must be fetched. Raises
    `RefusedError`, and what ends the run."""
    try:
        meta = await ctx.store.head(HeadRequest(ref.key, checksums=True, version_id=ref.version_id))
        if not same_etag(meta.etag, ref.etag):
            return None
        demand_encryption(meta, ctx.options)
        proof = await _proof(ctx, ref, path, meta)
    except (GaveUpError, StoreError):
        return None  # the response to a HEAD says little: let the GET report what is wrong
    if proof is None:
        return None
    return done(ref, path, meta, proof, attempts=1, fetched=0)


async def _proof(ctx: Context, ref: ObjectRef, path: SafePath, meta: ObjectMeta) -> Proof | None:
    stored = stored_checksum(meta, ref.size, ctx.options)
    if isinstance(stored, Unverifiable):
        stat = await in_thread(ctx.threads, ctx.destination.stat, path)
        same = stat is not None and abs(stat.mtime - ref.last_modified) <= SAME_TIME
        return Proof(Verdict.SIZE_ONLY, reason="same-size-and-time") if same else None
    parts = await stored_parts(ctx, ref, stored) if isinstance(stored, Composite) else None
    verifier = verifier_for(stored, ref.size, parts or Parts(), ctx.options)
    if isinstance(verifier.stored, Unverifiable):
        return None  # the parts are not known: fetch it
    await _hash_file(ctx, path, verifier)
    try:
        return prove(verifier)
    except StoreError:
        return None


async def _hash_file(ctx: Context, path: SafePath, verifier: Verifier) -> None:
    """One call into a thread for every block, so that an interruption waits for one block only."""
    # A list, so that a cancellation while a thread opens the file does not lose it.
    opened: list[AsyncFileIO] = []

    async def open_file() -> None:
        fd = await in_thread(ctx.threads, ctx.destination.open_read, path)
        opened.append(await aiofiles.open(fd, "rb", buffering=0, executor=ctx.threads))

    try:
        await shielded(open_file())
        while block := await shielded(opened[0].read(BLOCK)):
            await in_thread(ctx.threads, verifier.update, block)
    finally:
        for file in opened:
            await shielded(file.close())
