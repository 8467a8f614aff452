"""Is this response right, and are its bytes? Pure.

First checks of status, headers and lengths: an SDK accepts a 206 with another range, a 200 for a range, an empty 204
and a short Content-Length, and each of these would put wrong bytes into a file that looks complete.

Then the bytes. A segment is what has one stored digest: the whole object, or each of its parts. `wanted_checksum` chooses
the checksum from the headers, `verifier_for` the verifier, which takes the bytes in order, from S3 or from a file;
`prove` compares. `Expected` says what segments must hash to; ranges hash their blocks themselves, and ask `Expected` alone.
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

Wanted = FullObject | Composite | Unverifiable


class RefusedError(Exception):
    """The object is not as the options demand; `reason` is a slug of `diagnose.reasons`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class PartsNeededError(Exception):
    """The checksum can be checked only by who knows where the parts begin. `failed` attempts came before this response."""

    def __init__(self, wanted: Composite) -> None:
        super().__init__()
        self.wanted = wanted
        self.failed = 0


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
    wanted = options.sse_kms_key_id
    if wanted is not None and wanted not in {meta.kms_key_id, meta.kms_key_id.rpartition("/")[2]}:
        raise RefusedError("wrong-encryption", f"stored under key {meta.kms_key_id or 'none'}, not {wanted}")


def _check_etag(ref: ObjectRef, meta: ObjectMeta) -> None:
    if ref.etag and not same_etag(meta.etag, ref.etag):
        raise wrong(f"ETag {meta.etag or 'missing'} where {ref.etag} was asked for")


def wrong(what: str) -> StoreError:
    """The fault of an answer that does not match its request."""
    return StoreError(Fault(FaultKind.PROTOCOL, f"the server's answer is wrong: {what}"))


@dataclass(frozen=True, slots=True)
class Parts:
    """Sizes in order, none where they are not known; `digests` are base64, or nothing where they are not known."""

    sizes: tuple[int, ...] = ()
    digests: tuple[str, ...] = ()


def wanted_checksum(meta: ObjectMeta, size: int, options: TransferOptions) -> Wanted:
    """What the headers allow. Raises `StoreError` for a checksum that no honest answer carries, and
    `RefusedError` where `--require-checksum` wants more than S3 stores."""
    wanted = choose_checksum(meta.checksums, size)
    if isinstance(wanted, Unverifiable):
        if wanted.reason == "malformed-checksum":
            raise wrong(wanted.sentence)
        demand_checksum(wanted, options)
    return wanted


def demand_checksum(why: Unverifiable, options: TransferOptions) -> None:
    """Raises `RefusedError` where the object may not be taken by its size alone."""
    if options.require_checksum:
        raise RefusedError("no-checksum", why.sentence)


class Expected(NamedTuple):
    """`segments` are their raw digests, None where unknown; `whole` that over all of them, if there is one."""

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
            for number, (wanted, got) in enumerate(zip(self.segments, digests, strict=True))
            if wanted is not None and wanted != got
        ]
        if wrong:
            wanted = self.segments[wrong[0]] or b""
            part = None if self.whole is None else wrong[0] + 1
            return wrong, Mismatch(self.algorithm, text_of(wanted), text_of(digests[wrong[0]]), part)
        if self.whole is None or self.whole == (got := _digest_of_digests(self.algorithm, digests)):
            return [], None
        unknown = [number for number, wanted in enumerate(self.segments) if wanted is None]
        mismatch = Mismatch(self.algorithm, text_of(self.whole), text_of(got))
        return unknown or list(range(len(digests))), mismatch


def expected(wanted: Wanted, part_digests: Sequence[str], parts: int) -> Expected:
    """What must come out. `part_digests` are base64, "" where unknown, or nothing; a "-N" is ignored."""
    match wanted:
        case FullObject():
            return Expected(wanted.algorithm, (wanted.expected,))
        case Unverifiable():
            return Expected(FALLBACK, (None,))
        case Composite():
            raw = [raw_digest(wanted.algorithm, text) for text in part_digests] or [None] * parts
            return Expected(wanted.algorithm, tuple(raw), wanted.expected)


def _digest_of_digests(algorithm: str, digests: Sequence[bytes]) -> bytes:
    hasher = new_hasher(algorithm)
    for digest in digests:
        hasher.update(digest)
    return hasher.digest()


class WholeVerifier:
    """Takes the bytes, in order, of an object whose one digest is stored, or none.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, wanted: FullObject | Unverifiable) -> None:
        self.wanted = wanted
        hasher = new_hasher(wanted.checksum.algorithm if isinstance(wanted, FullObject) else FALLBACK)
        self.update = hasher.update
        self.digest = hasher.digest

    def finish(self) -> Mismatch | None:
        """What is wrong, if anything."""
        wanted, got = self.wanted, self.digest()
        if not isinstance(wanted, FullObject) or got == wanted.expected:
            return None
        return Mismatch(wanted.algorithm, text_of(wanted.expected), text_of(got))


class SegmentVerifier:
    """Takes the bytes, in order, of an object with a composite checksum. `sizes` are those of its segments.

    Only bytes are compared: that as many came as were listed is for the caller to check, first.
    """

    def __init__(self, wanted: Composite, expected: Expected, sizes: Sequence[int]) -> None:
        self.wanted = wanted
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
    """Check the response to a plain GET of this version; what takes its body. Raises as `check_whole`, `demand_encryption`,
    `wanted_checksum` and `verifier_for`."""
    check_whole(ref, meta)
    demand_encryption(meta, options)
    return verifier_for(wanted_checksum(meta, ref.size, options), ref.size, parts, options)


def composite_verifier(
    wanted: Composite, size: int, sizes: Sequence[int], digests: Sequence[str] = ()
) -> SegmentVerifier | Unverifiable:
    """For an object of `size` bytes whose parts have these `sizes`, in order.

    `digests` are the parts' stored digests (base64, "" where unknown, a "-N" is ignored), or nothing.
    Parts that cannot be those of the object give `Unverifiable`: what S3 said of it is not consistent.
    """
    fits = bool(sizes) and min(sizes) >= 0 and sum(sizes) == size and wanted.parts in {None, len(sizes)}
    if not fits or (digests and len(digests) != len(sizes)):
        return Unverifiable(
            "unknown-parts", f"the {len(sizes)} parts that are known do not make up the stored object"
        )
    if any(text and raw_digest(wanted.algorithm, text) is None for text in digests):
        return Unverifiable(
            "malformed-checksum", f"the {wanted.algorithm} that S3 sends of a part is malformed"
        )
    return SegmentVerifier(wanted, expected(wanted, digests, len(sizes)), sizes)


def verifier_for(wanted: Wanted, size: int, parts: Parts | None, options: TransferOptions) -> Verifier:
    """What takes the whole body. `parts` is None while nobody has requested them.

    Raises `PartsNeededError` then, if they are needed; `RefusedError` if nobody knows them and a checksum is demanded.
    """
    if not isinstance(wanted, Composite):
        return WholeVerifier(wanted)
    parts = Parts((size,)) if wanted.parts == 1 else parts
    if parts is None:
        raise PartsNeededError(wanted)
    composite = composite_verifier(wanted, size, parts.sizes, parts.digests)
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
    """What is known of the bytes. Raises `StoreError` (a checksum fault) unless they are those that S3 stores."""
    mismatch = verifier.finish()
    if mismatch is not None:
        raise mismatched(mismatch)
    if isinstance(verifier, SegmentVerifier):
        return proof_of(verifier.wanted, tuple(verifier.sizes))
    return proof_of(
        verifier.wanted, (), verifier.digest() if isinstance(verifier.wanted, Unverifiable) else b""
    )


def proof_of(wanted: Wanted, part_sizes: tuple[int, ...], digest: bytes = b"") -> Proof:
    """What is known once all is compared; `digest` is the CRC64NVME where there was nothing to compare with."""
    match wanted:
        case FullObject():
            return Proof(Verdict.VERIFIED, wanted.checksum)
        case Composite():
            return Proof(Verdict.VERIFIED, wanted.checksum, part_sizes)
        case Unverifiable():
            computed = text_of(digest)
            return Proof(Verdict.SIZE_ONLY, computed=computed, reason=wanted.reason, detail=wanted.sentence)


def mismatched(mismatch: Mismatch) -> StoreError:
    """The fault of bytes that are not those that S3 stores."""
    return StoreError(Fault(FaultKind.CHECKSUM, str(mismatch)))
