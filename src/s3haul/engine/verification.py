"""Is this response right, and are its bytes?

First pure checks of status, headers and lengths: an SDK accepts a 206 with another range, a 200 for a range, an empty 204
and a short Content-Length, and each of these would put wrong bytes into a file that looks complete. Then the verifier:
`wanted_checksum` chooses it from the headers, and the parts where needed; `Check` takes the bytes and gives the proof.
"""

from dataclasses import dataclass
from typing import NamedTuple

from s3haul.core.checksums import Composite, FullObject, Mismatch, Unverifiable, decide, text_of
from s3haul.core.segments import SegmentVerifier, Wanted, WholeVerifier, composite_verifier
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Checksum, ObjectMeta, ObjectRef, Verdict, same_etag
from s3haul.options import TransferOptions
from s3haul.store.protocol import Chunk

UNKNOWN_PARTS = Unverifiable("unknown-parts", "the server does not tell where the parts begin")


class Proof(NamedTuple):
    """What the Outcome says about the bytes."""

    verdict: Verdict
    checksum: Checksum | None = None
    part_sizes: tuple[int, ...] = ()
    computed: str = ""
    reason: str | None = None
    detail: str | None = None


def proof_of(wanted: Wanted, part_sizes: tuple[int, ...], digest: bytes) -> Proof:
    """What is known once all is compared; `digest` is the CRC64NVME where there was nothing to compare with."""
    match wanted:
        case FullObject():
            return Proof(Verdict.VERIFIED, wanted.checksum)
        case Composite():
            return Proof(Verdict.VERIFIED, wanted.checksum, part_sizes)
        case Unverifiable():
            computed = text_of(digest)
            return Proof(Verdict.SIZE_ONLY, computed=computed, reason=wanted.reason, detail=wanted.sentence)


@dataclass(frozen=True, slots=True)
class Parts:
    """Sizes in order, none where they are not known; `digests` are base64, or nothing where they are not told."""

    sizes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()


class Check:
    """Takes the body in order; `prove` compares and says what is known of it."""

    def __init__(
        self, wanted: Wanted, verifier: WholeVerifier | SegmentVerifier, part_sizes: tuple[int, ...] = ()
    ) -> None:
        self.update = verifier.update
        self.wanted = wanted
        self._verifier = verifier
        self._part_sizes = part_sizes

    def prove(self) -> Proof:
        """Raises `StoreError` (a checksum fault) unless the bytes are those that S3 stores."""
        mismatch = self._verifier.finish()
        if mismatch is not None:
            raise mismatched(mismatch)
        whole = self._verifier.digest() if isinstance(self._verifier, WholeVerifier) else b""
        return proof_of(self.wanted, self._part_sizes, whole)


def wanted_checksum(meta: ObjectMeta, size: int, options: TransferOptions) -> Wanted:
    """What the headers allow. Raises `StoreError` for a checksum that no honest answer carries, and
    `RefusedError` where `--require-checksum` wants more than S3 stores."""
    wanted = decide(meta.checksums, size)
    if isinstance(wanted, Unverifiable):
        if wanted.reason == "malformed-checksum":
            raise wrong(wanted.sentence)
        demand_checksum(wanted, options)
    return wanted


def demand_checksum(why: Unverifiable, options: TransferOptions) -> None:
    """Raises `RefusedError` where the object may not be taken by its size alone."""
    if options.require_checksum:
        raise RefusedError("no-checksum", why.sentence)


class PartsNeededError(Exception):
    """The checksum can be checked only by who knows where the parts begin."""

    def __init__(self, wanted: Composite) -> None:
        super().__init__()
        self.wanted = wanted


def check_for(wanted: Wanted, size: int, parts: Parts | None, options: TransferOptions) -> Check:
    """What to feed the whole body to. `parts` is None while nobody has asked for them.

    Raises `PartsNeededError` then, if they are needed; `RefusedError` if nobody knows them and a checksum is demanded.
    """
    if not isinstance(wanted, Composite):
        return Check(wanted, WholeVerifier(wanted))
    parts = Parts((size,)) if wanted.parts == 1 else parts
    if parts is None:
        raise PartsNeededError(wanted)
    composite = composite_verifier(wanted, size, parts.sizes, parts.digests)
    if isinstance(composite, Unverifiable):
        demand_checksum(UNKNOWN_PARTS, options)
        return Check(UNKNOWN_PARTS, WholeVerifier(UNKNOWN_PARTS))
    return Check(wanted, composite, parts.sizes)


def mismatched(mismatch: Mismatch) -> StoreError:
    """The fault of bytes that are not those that S3 stores."""
    return StoreError(Fault(FaultKind.CHECKSUM, str(mismatch)))


class RefusedError(Exception):
    """The object is not as the options demand; `reason` is a slug of `diagnose.reasons`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check_whole(ref: ObjectRef, meta: ObjectMeta) -> None:
    """Raises `StoreError` unless `meta` answers a plain GET of exactly this version."""
    if meta.status != 200:
        raise wrong(f"status {meta.status} to a plain GET")
    if meta.length is not None and meta.length != ref.size:
        raise wrong(f"Content-Length {meta.length} for an object of {ref.size} bytes")
    _check_etag(ref, meta)


def check_range(ref: ObjectRef, meta: ObjectMeta, start: int, end: int) -> None:
    """Raises `StoreError` unless `meta` answers a GET of just these bytes (`end` exclusive) of this version."""
    if meta.status != 206:
        raise wrong(f"status {meta.status} to a GET of a range")
    if meta.range_start != start:
        raise wrong(f"a range from byte {meta.range_start} instead of {start}")
    if meta.size not in {ref.size, None}:  # None: the server sends */ in Content-Range
        raise wrong(f"a range of an object of {meta.size} bytes instead of {ref.size}")
    if meta.length != end - start:
        raise wrong(f"a range of {meta.length} bytes instead of {end - start}")
    _check_etag(ref, meta)


def check_not_longer(left: int, chunk: Chunk) -> None:
    """Raises `StoreError` for more bytes than the `left` ones that were announced."""
    if len(chunk) > left:
        raise wrong(f"{len(chunk) - left} bytes more than were announced, or still more")


def check_complete(left: int) -> None:
    """Raises `StoreError` where a body ended and `left` bytes are missing."""
    if left:
        raise StoreError(Fault(FaultKind.BROKEN, f"the body ended {left} bytes early"))


def _check_etag(ref: ObjectRef, meta: ObjectMeta) -> None:
    if ref.etag and not same_etag(meta.etag, ref.etag):
        raise wrong(f"ETag {meta.etag or 'missing'} where {ref.etag} was asked for")


def wrong(what: str) -> StoreError:
    """The fault of an answer that does not match its request."""
    return StoreError(Fault(FaultKind.PROTOCOL, f"the server's answer is wrong: {what}"))


def demand_encryption(meta: ObjectMeta, options: TransferOptions) -> None:
    """Raises `RefusedError` unless the object is stored as `--sse` and `--sse-kms-key-id` state.

    A key may be named by its id or by its ARN, as S3 accepts both.
    """
    if options.sse is not None and meta.sse != options.sse:
        raise RefusedError(
            "wrong-encryption", f"stored with {meta.sse or 'no encryption header'}, not {options.sse}"
        )
    wanted = options.sse_kms_key_id
    if wanted is not None and wanted not in {meta.kms_key_id, meta.kms_key_id.rpartition("/")[2]}:
        raise RefusedError("wrong-encryption", f"stored under key {meta.kms_key_id or 'none'}, not {wanted}")
