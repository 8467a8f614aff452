"""The journal: the outcome of every listed key, in `DEST/.s3haul/journal.sqlite3`.

Resume, manifest, `verify` and report all read it. There is one writer; there may be any number of readers,
also in other processes and during a run.
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
