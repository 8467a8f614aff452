"""Which verifier goes with an object: from the checksums in the headers, and the parts where needed.

`wanted_checksum` decides once the headers are here; `Check` is what the receiving loop feeds and what the Outcome
tells of it.
"""

from dataclasses import dataclass
from typing import NamedTuple

from s3haul.core.checksums import Composite, FullObject, Mismatch, Unverifiable, decide, text_of
from s3haul.core.segments import SegmentVerifier, Wanted, WholeVerifier, composite_verifier
from s3haul.engine.validation import RefusedError, wrong
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import Checksum, ObjectMeta, Verdict
from s3haul.options import TransferOptions

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
