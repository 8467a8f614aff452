"""Is this response right, and are its bytes? Pure.

First checks of status, headers and lengths: an SDK accepts a 206 with another range, a 200 for a range, an
empty 204 and a short Content-Length, and each of these would put wrong bytes into a file that looks complete.

Then the bytes. A segment is what has one stored digest: the whole object, or each of its parts.
`stored_checksum` chooses the checksum from the headers, `verifier_for` the verifier, which takes the bytes in
order, from S3 or from a file; `prove` compares. `ExpectedDigests` says what segments must hash to; ranges
hash their blocks themselves, and ask `ExpectedDigests` alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from s3haul.core.checksums import (
    CRCS,
    Composite,
    Data,
    FullObject,
    Mismatch,
    Unverifiable,
    choose_checksum,
    new_hasher,
    raw_digest,
    text_of,
)
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Checksum, ObjectMeta, ObjectRef, Verdict, same_etag
from s3haul.options import TransferOptions

FALLBACK = "CRC64NVME"  # hashed where S3 stores nothing that can be computed, for a later offline verify
UNKNOWN_PARTS = Unverifiable("unknown-parts", "the server does not tell where the parts begin")

StoredChecksum = FullObject | Composite | Unverifiable


class RefusedError(Exception):
    """The object is not as the options demand; `reason` is a slug of `diagnose.reasons`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class PartsNeededError(Exception):
    """The checksum can be checked only by who knows where the parts begin.
    `failed` attempts came before this response."""

    def __init__(self, stored: Composite) -> None:
        super().__init__()
        self.stored = stored
        self.failed = 0


def check_whole(ref: ObjectRef, meta: ObjectMeta) -> None:
    """Raises `StoreError` unless `meta` answers a plain GET of exactly this version."""
    if meta.status != 200:
        raise wrong(f"status {meta.status} to a plain GET")
    if meta.length is not None and meta.length != ref.size:
        raise wrong(f"Content-Length {meta.length} for an object of {ref.size} bytes")
    _check_etag(ref, meta)


def check_range(ref: ObjectRef, meta: ObjectMeta, start: int, end: int) -> None:
    """Raises `StoreError` unless `meta` answers a GET of just these bytes (`end`
    exclusive) of this version."""
    if meta.status != 206:
        ignored = ": the server, or a proxy in between, ignores Range" if meta.status == 200 else ""
        raise wrong(f"status {meta.status} to a GET of a range{ignored}")
    if meta.range_start != start:
        raise wrong(f"a range from byte {meta.range_start} instead of {start}")
    if meta.size not in {ref.size, None}:  # None: the server sends */ in Content-Range
        raise wrong(f"a range of an object of {meta.size} bytes instead of {ref.size}")
    if meta.length != end - start:
        raise wrong(f"a range of {meta.length} bytes instead of {end - start}")
    _check_etag(ref, meta)


def check_not_longer(left: int, chunk: Data) -> None:
    """Raises `StoreError` for more bytes than the `left` ones that were announced."""
    if len(chunk) > left:
        raise wrong(f"{len(chunk) - left} bytes more than were announced, or still more")


def check_complete(left: int) -> None:
    """Raises `StoreError` where a body ended and `left` bytes are missing."""
    if left:
        raise StoreError(Fault(FaultKind.BROKEN, f"the body ended {left} bytes early"))


def demand_encryption(meta: ObjectMeta, options: TransferOptions) -> None:
    """Raises `RefusedError` unless the object is stored as `--sse` and `--sse-kms-key-id` state.

    A key may be named by its id or by its ARN, as S3 accepts both.
    """
    if options.sse is not None and meta.sse != options.sse:
        raise RefusedError(
            "wrong-encryption", f"stored with {meta.sse or 'no encryption header'}, not {options.sse}"
        )
    key = options.sse_kms_key_id
    if key is not None and key not in {meta.kms_key_id, meta.kms_key_id.rpartition("/")[2]}:
        raise RefusedError("wrong-encryption", f"stored under key {meta.kms_key_id or 'none'}, not {key}")


def _check_etag(ref: ObjectRef, meta: ObjectMeta) -> None:
    if ref.etag and not same_etag(meta.etag, ref.etag):
        raise wrong(f"ETag {meta.etag or 'missing'} where {ref.etag} was requested")


def wrong(what: str) -> StoreError:
    """The fault of an answer that does not match its request."""
    return StoreError(Fault(FaultKind.PROTOCOL, f"the server's answer is wrong: {what}"))


@dataclass(frozen=True, slots=True)
class Parts:
    """Sizes in order, none where they are not known; `digests` are base64,
    or nothing where they are not known."""

    sizes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()


def stored_checksum(meta: ObjectMeta, size: int, options: TransferOptions) -> StoredChecksum:
    """What the headers allow. Raises `StoreError` for a checksum that no honest answer carries, and
    `RefusedError` where `--require-checksum` wants more than S3 stores."""
    stored = choose_checksum(meta.checksums, size)
    if isinstance(stored, Unverifiable):
        if stored.reason == "malformed-checksum":
            raise wrong(stored.sentence)
        demand_checksum(stored, options)
    return stored


def demand_checksum(why: Unverifiable, options: TransferOptions) -> None:
    """Raises `RefusedError` where the object may not be taken by its size alone."""
    if options.require_checksum:
        raise RefusedError("no-checksum", why.sentence)


class ExpectedDigests(NamedTuple):
    """`segments` are their raw digests, None where unknown;
    `whole` that over all of them, if there is one."""

    algorithm: str
    segments: tuple[bytes | None, ...]
    whole: bytes | None = None

    @property
    def block_algorithm(self) -> str:
        """The CRC that blocks are hashed with: the stored one if it is a CRC, since those combine."""
        return self.algorithm if self.algorithm in CRCS else FALLBACK

    @property
    def combines(self) -> bool:
        """Whether the digest of a segment follows from those of its blocks."""
        return self.algorithm in CRCS

    def validate(self, digests: Sequence[bytes]) -> tuple[list[int], Mismatch | None]:
        """The segments to fetch again, and what is wrong; nothing where all is right."""
        wrong = [
            number
            for number, (expected, got) in enumerate(zip(self.segments, digests, strict=True))
            if expected is not None and expected != got
        ]
        if wrong:
            expected = self.segments[wrong[0]] or b""
            part = None if self.whole is None else wrong[0] + 1
            return wrong, Mismatch(self.algorithm, text_of(expected), text_of(digests[wrong[0]]), part)
        if self.whole is None or self.whole == (got := _digest_of_digests(self.algorithm, digests)):
            return [], None
        unknown = [number for number, digest in enumerate(self.segments) if digest is None]
        mismatch = Mismatch(self.algorithm, text_of(self.whole), text_of(got))
        return unknown or list(range(len(digests))), mismatch


def expected_digests(stored: StoredChecksum, part_digests: Sequence[str], parts: int) -> ExpectedDigests:
    """What must come out. `part_digests` are base64, "" where unknown, or nothing; a "-N" is ignored."""
    match stored:
        case FullObject():
            return ExpectedDigests(stored.algorithm, (stored.digest,))
        case Unverifiable():
            return ExpectedDigests(FALLBACK, (None,))
        case Composite():
            raw = [raw_digest(stored.algorithm, text) for text in part_digests] or [None] * parts
            return ExpectedDigests(stored.algorithm, tuple(raw), stored.digest)


def _digest_of_digests(algorithm: str, digests: Sequence[bytes]) -> bytes:
    hasher = new_hasher(algorithm)
    for digest in digests:
        hasher.update(digest)
    return hasher.digest()


class WholeVerifier:
    """Takes the bytes, in order, of an object whose one digest is stored, or none.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, stored: FullObject | Unverifiable) -> None:
        self.stored = stored
        hasher = new_hasher(stored.checksum.algorithm if isinstance(stored, FullObject) else FALLBACK)
        self.update = hasher.update
        self.digest = hasher.digest

    def finish(self) -> Mismatch | None:
        """What is wrong, if anything."""
        stored, got = self.stored, self.digest()
        if not isinstance(stored, FullObject) or got == stored.digest:
            return None
        return Mismatch(stored.algorithm, text_of(stored.digest), text_of(got))


class SegmentVerifier:
    """Takes the bytes, in order, of an object with a composite checksum. `sizes` are those of its segments.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, stored: Composite, expected: ExpectedDigests, sizes: Sequence[int]) -> None:
        self.stored = stored
        self._expected = expected
        self.sizes = sizes
        self._digests: list[bytes] = []
        self._hasher = new_hasher(expected.algorithm)
        self._left = sizes[0]

    def update(self, data: Data) -> None:
        """The next bytes. Those beyond the last segment go into it, so that they spoil its digest."""
        view = memoryview(data)
        while len(view) > self._left and len(self._digests) < len(self.sizes) - 1:
            self._hasher.update(view[: self._left])
            view = view[self._left :]
            self._end_segment()
        self._hasher.update(view)
        self._left -= len(view)

    def finish(self) -> Mismatch | None:
        """What is wrong, if anything, once all bytes have come."""
        while len(self._digests) < len(self.sizes):
            self._end_segment()
        return self._expected.validate(self._digests)[1]

    def _end_segment(self) -> None:
        self._digests.append(self._hasher.digest())
        if len(self._digests) < len(self.sizes):
            self._hasher = new_hasher(self._expected.algorithm)
            self._left = self.sizes[len(self._digests)]


Verifier = WholeVerifier | SegmentVerifier


def accept_whole(ref: ObjectRef, meta: ObjectMeta, parts: Parts | None, options: TransferOptions) -> Verifier:
    """Check the response to a plain GET of this version; what takes its body. Raises as `check_whole`,
    `demand_encryption`, `stored_checksum` and `verifier_for`."""
    check_whole(ref, meta)
    demand_encryption(meta, options)
    return verifier_for(stored_checksum(meta, ref.size, options), ref.size, parts, options)


def composite_verifier(
    stored: Composite, size: int, sizes: Sequence[int], digests: Sequence[str] = ()
) -> SegmentVerifier | Unverifiable:
    """For an object of `size` bytes whose parts have these `sizes`, in order.

    `digests` are the parts' stored digests (base64, "" where unknown, a "-N" is ignored), or nothing.
    Parts that cannot be those of the object give `Unverifiable`: what S3 said of it is not consistent.
    """
    fits = bool(sizes) and min(sizes) >= 0 and sum(sizes) == size and stored.parts in {None, len(sizes)}
    if not fits or (digests and len(digests) != len(sizes)):
        return Unverifiable(
            "unknown-parts", f"the {len(sizes)} parts that are known do not make up the stored object"
        )
    if any(text and raw_digest(stored.algorithm, text) is None for text in digests):
        return Unverifiable(
            "malformed-checksum", f"the {stored.algorithm} that S3 sends of a part is malformed"
        )
    return SegmentVerifier(stored, expected_digests(stored, digests, len(sizes)), sizes)


def verifier_for(
    stored: StoredChecksum, size: int, parts: Parts | None, options: TransferOptions
) -> Verifier:
    """What takes the whole body. `parts` is None while nobody has requested them.

    Raises `PartsNeededError` then, if they are needed;
    `RefusedError` if nobody knows them and a checksum is demanded.
    """
    if not isinstance(stored, Composite):
        return WholeVerifier(stored)
    parts = Parts((size,)) if stored.parts == 1 else parts
    if parts is None:
        raise PartsNeededError(stored)
    composite = composite_verifier(stored, size, parts.sizes, parts.digests)
    if isinstance(composite, Unverifiable):
        demand_checksum(UNKNOWN_PARTS, options)
        return WholeVerifier(UNKNOWN_PARTS)
    return composite


class Proof(NamedTuple):
    """What the Outcome says about the bytes."""

    verdict: Verdict
    checksum: Checksum | None = None
    part_sizes: tuple[int, ...] = ()
    computed: str = ""
    reason: str | None = None
    detail: str | None = None


def prove(verifier: Verifier) -> Proof:
    """What is known of the bytes. Raises `StoreError` (a checksum fault) unless they are
    those that S3 stores."""
    mismatch = verifier.finish()
    if mismatch is not None:
        raise mismatched(mismatch)
    if isinstance(verifier, SegmentVerifier):
        return proof_of(verifier.stored, tuple(verifier.sizes))
    return proof_of(
        verifier.stored, (), verifier.digest() if isinstance(verifier.stored, Unverifiable) else b""
    )


def proof_of(stored: StoredChecksum, part_sizes: tuple[int, ...], digest: bytes = b"") -> Proof:
    """What is known once all is compared; `digest` is the CRC64NVME where there was
    nothing to compare with."""
    match stored:
        case FullObject():
            return Proof(Verdict.VERIFIED, stored.checksum)
        case Composite():
            return Proof(Verdict.VERIFIED, stored.checksum, part_sizes)
        case Unverifiable():
            computed = text_of(digest)
            return Proof(Verdict.SIZE_ONLY, computed=computed, reason=stored.reason, detail=stored.sentence)


def mismatched(mismatch: Mismatch) -> StoreError:
    """The fault of bytes that are not those that S3 stores."""
    return StoreError(Fault(FaultKind.CHECKSUM, str(mismatch)))
