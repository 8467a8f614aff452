"""Checks one file that is done according to the journal: whether it is still what was hauled.

It is compared with the checksum that S3 stores (a composite one with the part sizes in the journal), else with the
CRC64NVME of the bytes that were received, else with the size.
"""

import os
from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple

from s3haul.core.checksums import Composite, FullObject, Unverifiable, decide
from s3haul.core.keypath import key_of, stored_path
from s3haul.core.verification import Verifier, WholeVerifier, composite_verifier
from s3haul.disk import ObjectPathError, Tree
from s3haul.models import Checksum, Outcome, SafePath

BLOCK = 1 << 20


class Grade(Enum):
    """The result of checking a file."""

    VERIFIED = auto()  # its bytes match the checksum that S3 stores
    UNCHANGED = auto()  # its bytes match the CRC64NVME of those that were received
    SIZE_ONLY = auto()  # no digest is known; its size matches
    DAMAGED = auto()


class Finding(NamedTuple):
    """A file that is damaged, or of which only the size could be checked.

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
    """Check the file of one done object. `base` is the part of the keys that paths do not contain.

    `add_bytes` is called for every block that was read. Raises `DestinationError` if the disk itself fails.
    """
    path = _own_path(outcome, base)
    if path is None:
        return _finding(outcome, "wrong-path", "the journal names a path that this key cannot have")
    try:
        return _check_file(tree, path, outcome) or _check_bytes(tree, path, outcome, add_bytes)
    except (ObjectPathError, OSError) as error:
        return _finding(outcome, "unreadable", str(error))


def _own_path(outcome: Outcome, base: str) -> SafePath | None:
    """The path, computed again from the key; None if that in the journal is another one.

    If the user gave a single object a name, its path is that name, directly in the destination.
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
    """The result without reading the file; None if it must be read."""
    stat = tree.stat(path)
    if stat is None:
        return _finding(outcome, "missing", "the file does not exist any more")
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
    verifier: Verifier | None = _stored_verifier(outcome)
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


def _stored_verifier(outcome: Outcome) -> Verifier | None:
    """A verifier of the checksum that S3 stores; None if that cannot be computed from the file."""
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
    """A verifier of the CRC64NVME of the bytes that were received; None if the journal has none."""
    if not outcome.computed:
        return None
    wanted = decide((Checksum("CRC64NVME", "FULL_OBJECT", outcome.computed),), outcome.ref.size)
    return WholeVerifier(wanted) if isinstance(wanted, FullObject) else None


def _finding(outcome: Outcome, problem: str, detail: str) -> Finding:
    return Finding(outcome, problem, detail)
