"""One object on its way through the engine: a `Target`,
with the decision what to do with it, becomes an `Outcome`.

The decisions are pure: `listing` gathers what an earlier run wrote and what is on the disk now, and acts on
them. All outcomes end in `finish`.
"""

from collections.abc import Sequence
from enum import Enum, auto
from typing import NamedTuple

from s3haul.core.keypath import safe_path
from s3haul.core.retry import Move
from s3haul.core.verification import Proof, RefusedError
from s3haul.disk import FileStat, ObjectPathError
from s3haul.engine.context import Context
from s3haul.events import Finished
from s3haul.journal import KnownRow
from s3haul.models import ObjectMeta, ObjectRef, Outcome, Partial, SafePath, State, same_etag
from s3haul.options import Existing, TransferOptions
from s3haul.store.protocol import LARGEST_IN_MEMORY, FailedAttempt
from s3haul.store.retrying import GaveUpError

_UNSTORABLE = frozenset({"name-too-long", "name-refused", "file-too-large"})
_IN_THE_WAY = frozenset(
    {"symlink-in-the-way", "file-in-the-way", "directory-in-the-way", "not-a-regular-file", "busy"}
)


class Decision(Enum):
    """What happens to an object next."""

    KEEP = auto()  # copied by an earlier run, and unchanged in the bucket and on disk
    FETCH = auto()
    VERIFY = auto()  # the journal does not vouch for the file: verify it, fetch the object if that fails
    SKIP = auto()  # for `reason`


class Target(NamedTuple):
    """One object on its way through the engine; `partial` is the file of an earlier run.

    `failed_attempt` is the first attempt, if the thread for small objects made it.
    """

    ref: ObjectRef
    path: SafePath
    decision: Decision
    reason: str = ""
    partial: Partial | None = None
    failed_attempt: FailedAttempt | None = None


def decide_target(
    ref: ObjectRef, path: SafePath, row: KnownRow | None, on_disk: FileStat | None, options: TransferOptions
) -> Target:
    """The target for one entry of the listing. `on_disk` describes what `path` is now."""
    if is_done(row, ref, path) and is_intact(on_disk, ref, path):
        return Target(ref, path, Decision.KEEP)
    # The journal vouches for the bytes under the old path only:
    # a file that was moved by hand is hashed again.
    if same_version(row, ref) and is_intact(on_disk, ref, path):
        return Target(ref, path, Decision.FETCH if path.directory else Decision.VERIFY)
    if ref.archived and not options.force_glacier_transfer:
        return Target(ref, path, Decision.SKIP, "archived")
    if path.directory or on_disk is None or (row is not None and row.is_here):
        return Target(ref, path, Decision.FETCH)
    if options.existing is Existing.SKIP:
        return Target(ref, path, Decision.SKIP, "kept-existing")
    if options.existing is Existing.VERIFY and on_disk.is_regular and on_disk.size == ref.size:
        return Target(ref, path, Decision.VERIFY)
    return Target(ref, path, Decision.FETCH)


def is_done(row: KnownRow | None, ref: ObjectRef, path: SafePath) -> bool:
    """Whether the journal says that exactly this version was copied to exactly this path."""
    return same_version(row, ref) and row is not None and row.path == str(path)


def same_version(row: KnownRow | None, ref: ObjectRef) -> bool:
    """Whether the journal says that exactly this version was copied, to whatever path."""
    return (
        row is not None and row.state is State.DONE and same_etag(row.etag, ref.etag) and row.size == ref.size
    )


def is_intact(on_disk: FileStat | None, ref: ObjectRef, path: SafePath) -> bool:
    """Whether type and size are those of the object. The bytes are not read: `s3haul verify` does that."""
    if on_disk is None:
        return False
    return on_disk.is_directory if path.directory else on_disk.is_regular and on_disk.size == ref.size


def natural_path(ref: ObjectRef, base: str, *, shadowed: bool) -> SafePath:
    """The path of a listed object; a zero-byte key that ends in "/" is a directory marker."""
    directory = ref.size == 0 and (ref.key.endswith("/") or ref.key == base)
    if ref.of_all_versions:
        return safe_path(ref.key, base=base, versioned=True)
    return safe_path(ref.key, base=base, shadowed=shadowed, directory=directory)


def is_plain(target: Target) -> bool:
    """Whether the thread for small objects may try this target (`small_objects`)."""
    ref = target.ref
    return (
        target.decision is Decision.FETCH
        and ref.size <= LARGEST_IN_MEMORY
        and bool(ref.etag)
        and ref.version_id is None
        and ref.checksum_type != "COMPOSITE"  # the parts must be requested
        and target.partial is None
        and not target.path.directory
    )


def done(
    ref: ObjectRef, path: SafePath, meta: ObjectMeta, proof: Proof, *, attempts: int, fetched: int
) -> Outcome:
    """For an object whose bytes are on disk under its name."""
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
        content_type=meta.content_type,
        user_metadata=meta.user_metadata,
    )


def not_done(
    ref: ObjectRef, path: str | None, error: GaveUpError | RefusedError | ObjectPathError
) -> Outcome:
    """For an object that failed or was skipped."""
    match error:
        case GaveUpError():
            state = State.SKIPPED if error.action.move is Move.SKIP else State.FAILED
            fault = error.fault
            detail = f"{fault.code}: {fault.message}" if fault.code else fault.message
            return Outcome(ref, state, path, error.action.reason, detail, attempts=error.attempts)
        case RefusedError():
            return Outcome(ref, State.FAILED, path, error.reason, error.detail)
        case ObjectPathError():
            if error.reason in _UNSTORABLE:
                return Outcome(ref, State.SKIPPED, path, "unstorable-name", error.message)
            reason = "path-in-the-way" if error.reason in _IN_THE_WAY else "file-refused"
            return Outcome(ref, State.FAILED, path, reason, error.message)


def finish(ctx: Context, outcomes: Sequence[Outcome]) -> None:
    """Record the outcomes and emit them. All objects end here."""
    ctx.journal.record_all(outcomes)
    for outcome in outcomes:
        ctx.emit(Finished(outcome))
