"""The Outcome of an object: what was verified, or why there is no file; and where outcomes go."""

from collections.abc import Sequence

from s3haul.core.retry import Move
from s3haul.disk import ObjectPathError
from s3haul.engine.context import Context
from s3haul.engine.verification import Proof, RefusedError
from s3haul.events import Finished
from s3haul.models import ObjectMeta, ObjectRef, Outcome, SafePath, State
from s3haul.store.retrying import GaveUpError

_UNSTORABLE = frozenset({"name-too-long", "name-refused", "file-too-large"})
_IN_THE_WAY = frozenset(
    {"symlink-in-the-way", "file-in-the-way", "directory-in-the-way", "not-a-regular-file", "busy"}
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


def not_done(ref: ObjectRef, path: str, error: GaveUpError | RefusedError | ObjectPathError) -> Outcome:
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
