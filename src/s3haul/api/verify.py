"""One verification, assembled: a destination's journal and its files. No network."""

from collections.abc import Callable
from pathlib import Path

from s3haul.disk import Tree
from s3haul.engine.audit import AuditCounts, audit
from s3haul.engine.recheck import Finding
from s3haul.journal import Reader
from s3haul.journal.location import existing_journal


def _ignore(_told: object) -> None:
    """Nobody listens."""


def verify(
    root: Path,
    *,
    found: Callable[[Finding], None] = _ignore,
    progress: Callable[[AuditCounts], None] = _ignore,
) -> AuditCounts:
    """Read every file below `root` that its journal calls done, and compare it with its checksum. No network.

    Blocks until the end: in an event loop, call it by `asyncio.to_thread`. Raises `S3HaulError`.
    """
    with Reader(existing_journal(root)) as reader, Tree.open(root) as tree:
        return audit(reader, tree, found=found, progress=progress)
