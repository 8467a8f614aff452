"""What to do with one listed object, given what an earlier run wrote and what the disk holds now.

Pure decisions over values; `listing` gathers the values and acts on them.
"""

from enum import Enum, auto
from typing import NamedTuple

from s3haul.core.keypath import safe_path
from s3haul.diagnose.reasons import DAMAGED
from s3haul.disk import FileStat
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, Partial, SafePath, State, same_etag
from s3haul.options import Existing, TransferOptions
from s3haul.store.protocol import Refusal


class Decision(Enum):
    """What happens to an object next."""

    KEEP = auto()  # copied by an earlier run, and unchanged in the bucket and on disk
    FETCH = auto()
    VERIFY = auto()  # the journal does not vouch for the file: verify it, fetch the object if that fails
    SKIP = auto()  # for `reason`


class Target(NamedTuple):
    """One object on its way through the engine; `partial` is the file of an earlier run.

    `refused` is the first attempt, if that was made in a batch and failed.
    """

    ref: ObjectRef
    path: SafePath
    decision: Decision
    reason: str = ""
    partial: Partial | None = None
    refused: Refusal | None = None


def decide_target(
    ref: ObjectRef, path: SafePath, row: KnownRow | None, on_disk: FileStat | None, options: TransferOptions
) -> Target:
    """The target for one entry of the listing. `on_disk` describes what `path` is now."""
    if is_done(row, ref, path) and is_intact(on_disk, ref, path):
        return Target(ref, path, Decision.KEEP)
    # The journal vouches for the bytes under the old path only: a file that was moved by hand is hashed again.
    if same_version(row, ref) and is_intact(on_disk, ref, path):
        return Target(ref, path, Decision.FETCH if path.directory else Decision.VERIFY)
    if ref.archived and not options.force_glacier_transfer:
        return Target(ref, path, Decision.SKIP, "archived")
    if path.directory or on_disk is None or is_ours(row):
        return Target(ref, path, Decision.FETCH)
    if options.existing is Existing.SKIP:
        return Target(ref, path, Decision.SKIP, "kept-existing")
    if options.existing is Existing.VERIFY and on_disk.is_regular and on_disk.size == ref.size:
        return Target(ref, path, Decision.VERIFY)
    return Target(ref, path, Decision.FETCH)


def is_done(row: KnownRow | None, ref: ObjectRef, path: SafePath) -> bool:
    """Whether the journal says that exactly this version was copied to exactly this path."""
    return same_version(row, ref) and row is not None and row.path == str(path)


def is_ours(row: KnownRow | None) -> bool:
    """Whether an earlier run wrote the file at the path, even if it was damaged since."""
    return row is not None and (row.state is State.DONE or row.reason == DAMAGED)


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
