"""Which verifier goes with an object: from the checksums in the headers, and the parts where needed.

`plan` decides once the headers are here; `Check` is what the receiving loop feeds and what the Outcome
tells of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from s3haul.core.checksums import (
    Composite,
    CompositeVerifier,
    FullObject,
    FullObjectVerifier,
    Hasher,
    Mismatch,
    Unverifiable,
    composite_verifier,
    decide,
    new_hasher,
    text_of,
)
from s3haul.core.stretches import FALLBACK
from s3haul.engine.answers import RefusedError, wrong
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Checksum, ObjectMeta, ObjectRef, Outcome, PartLayout, SafePath, State, Verdict
from s3haul.options import TransferOptions
from s3haul.store import Piece

UNKNOWN_PARTS = Unverifiable("unknown-parts", "the server does not tell where the parts begin")


@dataclass(frozen=True, slots=True)
class Proof:
    """What the Outcome says about the bytes."""

    verdict: Verdict
    checksum: Checksum | None = None
    part_sizes: tuple[int, ...] = ()
    computed: str = ""
    reason: str | None = None
    detail: str | None = None


def done(
    ref: ObjectRef, path: SafePath, meta: ObjectMeta, proof: Proof, *, attempts: int, fetched: int
) -> Outcome:
    """What the row of an object says that has been fetched."""
    return Outcome(
        ref,
        State.DONE,
        str(path),
        reason=proof.reason,
        detail=proof.detail,
        verdict=proof.verdict,
        checksum=proof.checksum,
        part_sizes=proof.part_sizes,
        computed=proof.computed,
        sse=meta.sse,
        kms_key_id=meta.kms_key_id,
        version_id=meta.version_id,
        attempts=attempts,
        fetched=fetched,
    )


def proof_of(
    wanted: FullObject | Composite | Unverifiable, part_sizes: tuple[int, ...], digest: bytes
) -> Proof:
    """What is known once all is compared; `digest` is the CRC64NVME where there was nothing to compare with."""
    match wanted:
        case FullObject():
            return Proof(Verdict.VERIFIED, wanted.checksum)
        case Composite():
            return Proof(Verdict.VERIFIED, wanted.checksum, part_sizes)
        case Unverifiable():
            computed = text_of(digest)
            return Proof(Verdict.SIZE_ONLY, computed=computed, reason=wanted.reason, detail=wanted.sentence)


class Check:
    """Takes the body in order; `prove` compares and says what is known of it."""

    def __init__(self, verifier: FullObjectVerifier | CompositeVerifier, proof: Proof) -> None:
        self.update = verifier.update
        self._verifier = verifier
        self._proof = proof

    def prove(self) -> Proof:
        """Raises `StoreError` (a checksum fault) unless the bytes are those that S3 stores."""
        mismatch = self._verifier.finish()
        if mismatch is not None:
            raise mismatched(mismatch)
        return self._proof


class SizeOnly:
    """Hashes for the record what cannot be compared with anything."""

    def __init__(self, why: Unverifiable) -> None:
        self._hasher = _hasher(FALLBACK)
        self.update = self._hasher.update
        self._why = why

    def prove(self) -> Proof:
        """Never fails: there is nothing to compare with."""
        return proof_of(self._why, (), self._hasher.digest())


class PartByPart:
    """A composite checksum whose parts are fetched one by one, so that their sizes come with them."""

    def __init__(self, wanted: Composite) -> None:
        self._wanted = wanted
        self._whole = _hasher(wanted.algorithm)
        self._part = _hasher(wanted.algorithm)
        self._sizes: list[int] = []

    def begin(self, size: int) -> None:
        """The next `size` bytes are one part."""
        self._end()
        self._sizes.append(size)

    def update(self, data: Piece) -> None:
        self._part.update(data)

    def prove(self) -> Proof:
        """Raises `StoreError` (a checksum fault) unless the bytes are those that S3 stores."""
        self._end()
        got = self._whole.digest()
        if got != self._wanted.expected:
            raise mismatched(Mismatch(self._wanted.algorithm, text_of(self._wanted.expected), text_of(got)))
        return Proof(Verdict.VERIFIED, self._wanted.checksum, tuple(self._sizes))

    def _end(self) -> None:
        if self._sizes:
            self._whole.update(self._part.digest())
            self._part = _hasher(self._wanted.algorithm)


Proving = Check | SizeOnly | PartByPart


def plan(meta: ObjectMeta, size: int, options: TransferOptions) -> FullObject | Composite | Unverifiable:
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


def whole_check(wanted: FullObject) -> Check:
    """For one digest over the whole body."""
    return Check(FullObjectVerifier(wanted), Proof(Verdict.VERIFIED, wanted.checksum))


def composite_check(wanted: Composite, size: int, layout: PartLayout | None) -> Check | None:
    """For a body whose part sizes are known; None where they are not, or contradict the value."""
    if wanted.parts == 1 and layout is None:
        sizes: Sequence[int] = (size,)
        digests: Sequence[str] = ()
    elif layout is not None:
        sizes = [part.size for part in layout.parts]
        digests = [part.digest for part in layout.parts] if layout.algorithm == wanted.algorithm else ()
    else:
        return None
    verifier = composite_verifier(wanted, size, sizes, digests)
    if isinstance(verifier, Unverifiable):
        return None
    return Check(verifier, Proof(Verdict.VERIFIED, wanted.checksum, tuple(sizes)))


def mismatched(mismatch: Mismatch) -> StoreError:
    """The fault of bytes that are not those that S3 stores."""
    return StoreError(Fault(FaultKind.CHECKSUM, str(mismatch)))


def _hasher(algorithm: str) -> Hasher:
    hasher = new_hasher(algorithm)
    assert hasher is not None, "only supported algorithms get here"
    return hasher
