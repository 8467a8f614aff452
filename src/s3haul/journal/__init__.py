"""The journal: what became of every listed key, in `DEST/.s3haul/journal.sqlite3`.

The truth about what was done, and the source of resume, manifest, offline verification and report. Rows
come from one writer; readers may come and go, also from other processes and during a run.
"""

from s3haul.journal.database import SourceIdentity
from s3haul.journal.journal import Journal
from s3haul.journal.manifest import manifest_entries, manifest_lines
from s3haul.journal.reader import Count, KnownRow, Reader, Run

__all__ = [
    "Count",
    "Journal",
    "KnownRow",
    "Reader",
    "Run",
    "SourceIdentity",
    "manifest_entries",
    "manifest_lines",
]
