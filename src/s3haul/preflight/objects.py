"""The steps of the objects: one object in detail, then a sample of all."""

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


async def read_objects(state: CheckState, store: ObjectStore, page: ListPage) -> None:
    """Test one object in detail, then a sample of all."""
    seen, complete = await spread_keys(state.retry, store, state.prefix, page)
    base = state.source.base
    state.listed = listed = tuple(ref for ref in seen if state.selected(ref.key[len(base) :]))
    if not listed:
        state.say(Step.READ, None, "the filters exclude all objects in the part of the listing that was read")
        return
    await _read_one(state, store, listed)
    chosen = choose(listed, state.suspects, state.sample_size)
    samples = await ask_for(state.retry, store, state.probes, chosen)
    state.evidence = replace(
        state.evidence, samples=samples, complete=complete and len(samples) == len(listed)
    )
    readable = [one for one in samples if one.read is None and not one.archived]
    kind = "objects" if state.evidence.complete else "sampled objects"
    text = f"{len(readable)} of {len(samples)} {kind} can be read"
    state.say(Step.SAMPLE, len(readable) == len(samples), text, tuple(map(str, grouped(samples))))


async def _read_one(state: CheckState, store: ObjectStore, listed: Sequence[ObjectRef]) -> None:
    ref = next((one for one in listed if one.size and not one.archived), listed[0])
    if await _head(state, store, ref.key):
        state.say(Step.HEAD, True, f"s3:GetObject is allowed ({ref.key}, {human_bytes(ref.size)})")
    else:
        state.say(Step.HEAD, False, f"HEAD of {ref.key} is refused")
    if meta := await _head(state, store, ref.key, checksums=True):
        proof = ", so kms:Decrypt is allowed" if meta.kms_key_id else "; it is not encrypted with KMS"
        state.say(Step.CHECKSUM, True, f"S3 returns its checksum{proof}")
    else:
        state.say(Step.CHECKSUM, False, f"HEAD of {ref.key} for its checksum is refused")
    fault, _ = await first_byte(state.retry, store, ref)
    what = "its first byte" if ref.size else "the empty object"
    if fault is None:
        state.say(Step.READ, True, f"{what} was received, so S3 and KMS both allow access ({ref.key})")
    else:
        state.say(Step.READ, False, f"GET of {ref.key} is refused")


async def _head(
    state: CheckState, store: ObjectStore, key: str, *, checksums: bool = False
) -> ObjectMeta | None:
    """The headers, or None if the request is refused."""
    try:
        return await state.retry.ask(RequestKind.OBJECT, lambda: store.head(key, checksums=checksums))
    except StoreError:
        return None
