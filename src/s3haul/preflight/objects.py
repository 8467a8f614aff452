"""The links of the objects: one object step by step, then a sample of all."""

from collections.abc import Sequence
from dataclasses import replace

from s3haul.core.text import human_bytes
from s3haul.diagnose.evidence import Step, grouped
from s3haul.diagnose.symptoms import RequestKind
from s3haul.errors import StoreError
from s3haul.models import ListPage, ObjectMeta, ObjectRef
from s3haul.preflight.sample import ask_for, choose, first_byte, spread_keys
from s3haul.preflight.state import CheckState
from s3haul.store.protocol import ObjectStore


async def read_objects(ladder: CheckState, store: ObjectStore, page: ListPage) -> None:
    """One object step by step, then a sample of all."""
    seen, complete = await spread_keys(ladder.patience, store, ladder.source, page)
    base = ladder.source.base
    ladder.listed = listed = tuple(ref for ref in seen if ladder.selected(ref.key[len(base) :]))
    if not listed:
        ladder.say(Step.READ, None, "the filters leave nothing to read, as far as the listing was looked at")
        return
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


async def _read_one(ladder: CheckState, store: ObjectStore, listed: Sequence[ObjectRef]) -> None:
    ref = next((one for one in listed if one.size and not one.archived), listed[0])
    if await _head(ladder, store, ref.key):
        ladder.say(Step.HEAD, True, f"s3:GetObject is allowed ({ref.key}, {human_bytes(ref.size)})")
    else:
        ladder.say(Step.HEAD, False, f"HEAD of {ref.key} is refused")
    if meta := await _head(ladder, store, ref.key, checksums=True):
        proof = ", so kms:Decrypt is allowed" if meta.kms_key_id else "; it is not under KMS"
        ladder.say(Step.CHECKSUM, True, f"its checksum is told{proof}")
    else:
        ladder.say(Step.CHECKSUM, False, f"HEAD of {ref.key} for its checksum is refused")
    fault, _ = await first_byte(ladder.patience, store, ref)
    what = "its first byte" if ref.size else "the empty object"
    if fault is None:
        ladder.say(Step.READ, True, f"{what} comes, so S3 and KMS both allow ({ref.key})")
    else:
        ladder.say(Step.READ, False, f"GET of {ref.key} is refused")


async def _head(
    ladder: CheckState, store: ObjectStore, key: str, *, checksums: bool = False
) -> ObjectMeta | None:
    """The headers, or None where they are refused."""
    try:
        return await ladder.patience.ask(RequestKind.OBJECT, lambda: store.head(key, checksums=checksums))
    except StoreError:
        return None
