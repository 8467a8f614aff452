"""The links of the objects: one object step by step, then a sample of all."""

from collections.abc import Sequence
from dataclasses import replace

from s3haul.core.evidence import Step, grouped
from s3haul.core.symptoms import Asked
from s3haul.core.text import human_bytes
from s3haul.errors import Fault, StoreError
from s3haul.models import ListPage, ObjectRef
from s3haul.preflight.climb import Climb
from s3haul.preflight.sample import ask_for, choose, first_byte, spread_keys
from s3haul.store import ObjectStore


async def read_objects(ladder: Climb, store: ObjectStore, page: ListPage) -> None:
    """One object step by step, then a sample of all."""
    listed, complete = await spread_keys(ladder.patience, store, ladder.source, page)
    ladder.listed = listed
    await _read_one(ladder, store, listed)
    chosen = choose(listed, ladder.suspects, ladder.sample_size)
    samples = await ask_for(ladder.patience, store, ladder.probes, chosen)
    ladder.evidence = replace(
        ladder.evidence, samples=samples, complete=complete and len(samples) == len(listed)
    )
    readable = [one for one in samples if one.read is None and not one.archived]
    kind = "objects" if ladder.evidence.complete else "sampled objects"
    text = f"{len(readable)} of {len(samples)} {kind} can be read"
    ladder.say(Step.SAMPLE, len(readable) == len(samples), text, tuple(map(str, grouped(samples))))


async def _read_one(ladder: Climb, store: ObjectStore, listed: Sequence[ObjectRef]) -> None:
    ref = next((one for one in listed if one.size), listed[0])
    size = human_bytes(ref.size)
    steps = (
        (Step.HEAD, False, "s3:GetObject is allowed"),
        (Step.CHECKSUM, True, "its checksum is told, so kms:Decrypt is allowed"),
    )
    for step, checksums, proof in steps:
        if await _head(ladder, store, ref.key, checksums=checksums) is not None:
            ladder.say(step, False, f"HEAD{' for its checksum' if checksums else ''} of {ref.key} is refused")
            break
        ladder.say(step, True, f"{proof} ({ref.key}, {size})")
    fault, _ = await first_byte(ladder.patience, store, ref)
    what = "its first byte" if ref.size else "the empty object"
    if fault is None:
        ladder.say(Step.READ, True, f"{what} comes, so S3 and KMS both allow ({ref.key})")
    else:
        ladder.say(Step.READ, False, f"GET of {ref.key} is refused")


async def _head(ladder: Climb, store: ObjectStore, key: str, *, checksums: bool) -> Fault | None:
    try:
        await ladder.patience.ask(Asked.OBJECT, lambda: store.head(key, checksums=checksums))
    except StoreError as error:
        return error.fault
    return None
