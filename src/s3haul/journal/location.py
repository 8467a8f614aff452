"""The path of the journal of a destination. Opens nothing."""

from pathlib import Path

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.errors import JournalError


def journal_path(root: Path) -> Path:
    """Where the journal of the destination `root` is, or will be."""
    return root / STATE_DIRECTORY / "journal.sqlite3"


def existing_journal(root: Path) -> Path:
    """The journal of the destination `root`. Raises `JournalError` if it has none."""
    path = journal_path(root)
    if not path.is_file():
        raise JournalError(
            f"There is no journal in {root}.", hint="name the directory that s3haul cp copied to"
        )
    return path
