"""A file that no journal knows stands where an object must go: is it that object?

It counts as done only if its bytes match the checksum that S3 stores, or, where S3 stores none, if size
and modification time match as `aws s3 sync` would have it. Otherwise the object is fetched.
"""

import os

from s3haul.core.checksums import Composite, Unverifiable
from s3haul.core.etags import same_etag
from s3haul.engine.context import Context
from s3haul.engine.part_layout import stored_parts
from s3haul.engine.validation import demand_encryption
from s3haul.engine.verification import Check, Parts, Proof, SizeOnly, check_for, done, plan
from s3haul.errors import StoreError
from s3haul.models import ObjectMeta, ObjectRef, Outcome, SafePath, Verdict
from s3haul.store.retrying import GaveUpError, persist
from s3haul.threads import in_thread

BLOCK = 4 << 20
SAME_TIME = 1.0  # seconds; file systems keep different fractions


async def verify_existing(ctx: Context, ref: ObjectRef, path: SafePath) -> Outcome | None:
    """The Outcome if the file is the object, None if it must be fetched. Raises as `transfer`."""
    try:
        meta, _ = await persist(ctx, ref.key, ctx.reading, lambda: ctx.store.head(ref.key, checksums=True))
        if not same_etag(meta.etag, ref.etag):
            return None
        demand_encryption(meta, ctx.options)
        proof = await _proof(ctx, ref, path, meta)
    except (GaveUpError, StoreError):
        return None  # HEAD tells less than GET: let the fetch say what is wrong
    if proof is None:
        return None
    return done(ref, path, meta, proof, attempts=1, fetched=0)


async def _proof(ctx: Context, ref: ObjectRef, path: SafePath, meta: ObjectMeta) -> Proof | None:
    wanted = plan(meta, ref.size, ctx.options)
    if isinstance(wanted, Unverifiable):
        stat = await in_thread(ctx.threads, ctx.destination.stat, path)
        same = stat is not None and abs(stat.mtime - ref.last_modified) <= SAME_TIME
        return Proof(Verdict.SIZE_ONLY, reason="same-size-and-time") if same else None
    parts = await stored_parts(ctx, ref, wanted) if isinstance(wanted, Composite) else None
    check = check_for(wanted, ref.size, parts or Parts(), ctx.options)
    if isinstance(check, SizeOnly):
        return None  # the parts are not known: fetch it
    await _hash_file(ctx, path, check)
    try:
        return check.prove()
    except StoreError:
        return None


async def _hash_file(ctx: Context, path: SafePath, check: Check) -> None:
    """A hop to a thread for every block: cheap against the hashing, and an interruption waits for one only."""
    opened: list[int] = []  # survives a cancellation while a thread opens it
    try:
        await in_thread(ctx.threads, lambda: opened.append(ctx.destination.open_read(path)))
        while block := await in_thread(ctx.threads, os.read, opened[0], BLOCK):
            await in_thread(ctx.threads, check.update, block)
    finally:
        for fd in opened:
            os.close(fd)
