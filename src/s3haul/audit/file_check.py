"""One file that the journal calls done: is it still what was hauled?

Compared is, in this order of trust: the checksum that S3 stores (a composite one by the part sizes that
the journal kept), the CRC64NVME of the bytes that were received, the size.
"""

import os
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from s3haul.core.checksums import Composite, FullObject, Unverifiable, decide
from s3haul.core.keypath import key_of, stored_path
from s3haul.core.segments import SegmentVerifier, WholeVerifier, composite_verifier
from s3haul.disk import ObjectPathError, Tree
from s3haul.models import Checksum, Outcome, SafePath

BLOCK = 1 << 20


class Grade(Enum):
    """How much is known of a file now."""

    VERIFIED = auto()  # its bytes match the checksum that S3 stores
    UNCHANGED = auto()  # its bytes are those that were received
    SIZE_ONLY = auto()  # no digest is known; its size matches
    DAMAGED = auto()


class Finding(NamedTuple):
    """A file that is damaged, or of which nothing but the size could be checked.

    `problem` is a slug: wrong-path, missing, not-a-regular-file, wrong-size, wrong-checksum, unreadable,
    or size-only; `detail` is a sentence for a person.
    """

    outcome: Outcome
    problem: str
    detail: str

    @property
    def key(self) -> str:
        return self.outcome.ref.key

    @property
    def grade(self) -> Grade:
        return Grade.SIZE_ONLY if self.problem == "size-only" else Grade.DAMAGED


def recheck(tree: Tree, outcome: Outcome, base: str, add_bytes: Callable[[int], None]) -> Grade | Finding:
    """What the disk says of one done object; `base` is what the paths leave out of the keys.

    `add_bytes` is called for every block that was read. Raises `DestinationError` where the disk itself
    fails.
    """
    path = _own_path(outcome, base)
    if path is None:
        return _finding(outcome, "wrong-path", "the journal names a path that this key cannot have")
    try:
        return _check_file(tree, path, outcome) or _check_bytes(tree, path, outcome, add_bytes)
    except (ObjectPathError, OSError) as error:
        return _finding(outcome, "unreadable", str(error))


def _own_path(outcome: Outcome, base: str) -> SafePath | None:
    """The path, made anew; None where the journal's is not the key's own.

    A single object may have been given a name by the user, and then stands right below the root.
    """
    key = outcome.ref.key
    directory = outcome.ref.size == 0 and (key.endswith("/") or key == base)
    try:
        path = stored_path(outcome.path or "", directory=directory)
        is_own = len(path.parts) == 1 or key_of(path, base=base) == key
    except ValueError:
        return None
    return path if is_own else None


def _check_file(tree: Tree, path: SafePath, outcome: Outcome) -> Grade | Finding | None:
    """What can be said without reading; None where the bytes must tell."""
    stat = tree.stat(path)
    if stat is None:
        return _finding(outcome, "missing", "nothing is there any more")
    if path.directory:
        if stat.is_directory:
            return Grade.VERIFIED
        return _finding(outcome, "not-a-regular-file", "it is not a directory any more")
    if not stat.is_regular:
        return _finding(outcome, "not-a-regular-file", "it is not a regular file any more")
    if stat.size != outcome.ref.size:
        return _finding(outcome, "wrong-size", f"it has {stat.size} bytes, the object {outcome.ref.size}")
    return None


def _check_bytes(
    tree: Tree, path: SafePath, outcome: Outcome, add_bytes: Callable[[int], None]
) -> Grade | Finding:
    grade = Grade.VERIFIED
    verifier: WholeVerifier | SegmentVerifier | None = _stored_verifier(outcome)
    if verifier is None:
        grade, verifier = Grade.UNCHANGED, _received_verifier(outcome)
    if verifier is None:
        return _finding(outcome, "size-only", "no checksum is known; the size is right")
    fd = tree.open_read(path)
    try:
        while block := os.read(fd, BLOCK):
            verifier.update(block)
            add_bytes(len(block))
    finally:
        os.close(fd)
    mismatch = verifier.finish()
    if mismatch is None:
        return grade
    where = "the file" if mismatch.part is None else f"part {mismatch.part}"
    detail = f"the {mismatch.algorithm} of {where} is {mismatch.got}, the object's is {mismatch.expected}"
    return _finding(outcome, "wrong-checksum", detail)


def _stored_verifier(outcome: Outcome) -> WholeVerifier | SegmentVerifier | None:
    """For the checksum that S3 stores, where it can be computed from the file alone."""
    if outcome.checksum is None:
        return None
    size = outcome.ref.size
    match decide((outcome.checksum,), size):
        case FullObject() as wanted:
            return WholeVerifier(wanted)
        case Composite() as wanted:
            verifier = composite_verifier(wanted, size, outcome.part_sizes)
            return None if isinstance(verifier, Unverifiable) else verifier
        case Unverifiable():
            return None


def _received_verifier(outcome: Outcome) -> WholeVerifier | None:
    """For what was received and hashed where S3 stores nothing."""
    if not outcome.computed:
        return None
    wanted = decide((Checksum("CRC64NVME", "FULL_OBJECT", outcome.computed),), outcome.ref.size)
    return WholeVerifier(wanted) if isinstance(wanted, FullObject) else None


def _finding(outcome: Outcome, problem: str, detail: str) -> Finding:
    return Finding(outcome, problem, detail)
