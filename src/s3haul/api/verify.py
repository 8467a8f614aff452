"""`verify`: compares the files of a destination with its journal. No network."""

from collections.abc import Callable
from pathlib import Path

from s3haul.audit.file_check import Finding, Grade
from s3haul.audit.files import AuditCounts, DamageRecorder, audit
from s3haul.disk import Tree
from s3haul.errors import S3HaulError
from s3haul.events import ignore
from s3haul.journal import Reader
from s3haul.journal.database import existing_journal
from s3haul.models import Outcome, Verdict


def verify(
    root: Path,
    *,
    found: Callable[[Finding], None] = ignore,
    progress: Callable[[AuditCounts], None] = ignore,
    unmarked: Callable[[S3HaulError], None] = ignore,
) -> AuditCounts:
    """Read every file below `root` that is done according to the journal, and compare it with its checksum.

    Damaged files are marked, so that the next download fetches them again. `unmarked` is called if that fails, for
    example on a read-only medium. Blocks until the end: in an event loop, use `asyncio.to_thread`. Raises
    `S3HaulError`.
    """

    def damaged(finding: Finding) -> None:
        if finding.grade is Grade.DAMAGED:
            marker.damaged(finding.outcome, f"{finding.detail} ({finding.problem})")
        found(finding)

    def repaired(outcome: Outcome, grade: Grade) -> None:
        marker.sound(outcome, Verdict.VERIFIED if grade is Grade.VERIFIED else Verdict.SIZE_ONLY)

    with (
        Reader(existing_journal(root)) as reader,
        Tree.open(root) as tree,
        DamageRecorder(root, reader.source, unmarked) as marker,
    ):
        return audit(reader, tree, found=damaged, repaired=repaired, progress=progress)
