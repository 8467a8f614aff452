"""What a merge writes: the manifest in RUN, and the journal in the destination, shard by shard."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from s3haul.cluster.audit import Entry
from s3haul.cluster.cutting import Shard
from s3haul.cluster.description import RunDescription
from s3haul.core.key_ranges import just_after
from s3haul.disk import Destination
from s3haul.disk.errors import run_error
from s3haul.disk.shards import sweep
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.database import journal_path
from s3haul.journal.manifest import outcome_of

MANIFEST = "manifest.jsonl.gz"
SUMMARY = "summary.json"
BATCH = 20_000  # rows in one commit, each of which syncs the file system
BACKLOG = 100_000  # rows that wait in memory


class MergedManifest:
    """A gzip file, and the summary beside it. Raises `DestinationError`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sha256 = hashlib.sha256()
        with self._trouble():
            self._file = (root / f".{MANIFEST}").open("wb")

    def add(self, data: bytes) -> None:
        """The lines of one shard, as a gzip file: such files one after the other are one."""
        self._sha256.update(data)
        with self._trouble():
            self._file.write(data)

    def publish(self, summary: dict[str, Any]) -> None:
        """All shards were added."""
        text = json.dumps(summary | {"manifest_sha256": self._sha256.hexdigest()}, indent=1) + "\n"
        with self._trouble():
            self._file.close()
            (self._root / f".{MANIFEST}").replace(self._root / MANIFEST)
            (self._root / SUMMARY).write_text(text)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _trouble(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise run_error(error, f"write the manifest in {self._root}") from error


class MergedJournal:
    """The journal that one haul of all the shards would have left. Made by `merged_journal`."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._number = journal.begin_run()
        self._first = ""  # the least key that the next shard can have
        self._objects = self._bytes = 0

    def add(self, shard: Shard, entries: list[Entry]) -> None:
        """The outcomes of one shard, after those of the shards before it. Other rows of its range are gone; where there
        are no outcomes, nothing is known."""
        keys = [ref.key for ref in shard.refs[-1:]] + [entry["key"] for entry in entries[-1:]]
        end = max([self._first, *map(just_after, keys)])
        if entries:
            known = self._journal.known(self._first, end).keys()
            self._journal.mark_gone(sorted(known - {entry["key"] for entry in entries}))
            self._journal.record_all([outcome_of(entry) for entry in entries])
        self._first = end
        self._objects += len(entries)
        self._bytes += sum(entry["size"] for entry in entries)
        if self._journal.backlog > BACKLOG:
            self._journal.flush()

    def end(self, *, complete: bool, exit_code: int) -> None:
        """All shards were added."""
        if complete:
            self._journal.mark_gone_between(self._first, None)
        self._journal.end_run(
            self._number,
            complete=complete,
            exit_code=exit_code,
            listed=self._objects,
            listed_bytes=self._bytes,
        )


@contextmanager
def merged_journal(run: RunDescription) -> Iterator[MergedJournal]:
    """In the run's destination, where no worker is left: what lost ones left there is removed. Raises
    `S3HaulError`."""
    identity = SourceIdentity(run.source.bucket, run.source.base, run.endpoint)
    with Destination.open(Path(run.destination), force=run.force) as destination:
        destination.lock()
        path = journal_path(destination.root)
        with closing(Journal.open(path, identity, sync=destination.sync, batch=BATCH)) as journal:
            yield MergedJournal(journal)
        sweep(destination.root, run.run_id)
