"""The end of a run: every shard's audit against the plan, one manifest, one journal in the destination.

Nothing here depends on when or where it runs: the same plan, markers and audits give the same manifest, byte
by byte. The journal is the one that a single run would have left, so that `s3haul verify`, `manifest`,
`status`, and a later `s3haul cp` of the same source can use it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from s3haul.api.download import identity_of
from s3haul.cluster.audit import DamagedAuditError, Entry, Kind, Problem, Totals, audit_shard, read_audit
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.plan import Attempt, Shard, damaged_plan, gzipped
from s3haul.cluster.records import RunDescription
from s3haul.core.key_ranges import just_after, prefix_end
from s3haul.disk import Destination
from s3haul.disk.errors import run_error
from s3haul.disk.root import sweep
from s3haul.engine.target import natural_path
from s3haul.events import ignore
from s3haul.journal import Journal
from s3haul.journal.database import journal_path
from s3haul.journal.manifest import outcome_of
from s3haul.models import State
from s3haul.options import SourceOptions

MANIFEST = "manifest.jsonl.gz"
SUMMARY = "summary.json"
BATCH = 20_000  # rows in one commit, each of which syncs the file system
BACKLOG = 100_000  # rows that wait in memory


class _Audit(NamedTuple):
    """The audit of a shard: its bytes, its parsed lines, and the node that wrote it."""

    data: bytes
    entries: list[Entry]
    node: str


_NONE = _Audit(b"", [], "")


def merge(
    directory: RunDirectory, run: RunDescription, *, progress: Callable[[Totals], None] = ignore
) -> Totals:
    """Audit all shards and write manifest, journal and summary.
    The problems that the audit finds are in the totals.

    If every node has a destination of its own, the manifest names the node of each object, and no journal is
    written. Raises `S3HaulError` for a file that cannot be read or written.
    """
    totals = Totals()
    base = run.source.base
    with ExitStack() as stack:
        journal = None if run.node_local else stack.enter_context(merged_journal(run))
        manifest = stack.enter_context(closing(MergedManifest(directory.root)))
        for shard, audit in _audited(directory, run, totals):
            audit_shard(
                shard,
                audit.entries,
                lambda ref, shadowed: str(natural_path(ref, base, shadowed=shadowed)),
                totals,
            )
            manifest.add(_placed(audit) if run.node_local else audit.data)
            if journal is not None:
                journal.add(shard, audit.entries)
            progress(totals)
        if journal is not None:
            journal.end(complete=totals.clean, exit_code=totals.exit_code)
        manifest.publish(summary_of(run, totals))
    return totals


def merge_here(directory: RunDirectory, run: RunDescription, node: str) -> int:
    """Write the journal of the objects on this node, in the destination on its disk, for `s3haul verify` and
    others. Returns the number of objects. Raises `S3HaulError`, also for a damaged audit."""
    count = 0
    with merged_journal(run) as journal:
        for number in sorted(directory.done()):
            if directory.marker(number).node != node:
                continue
            try:
                entries = _read(directory, number).entries
            except DamagedAuditError as error:
                raise damaged_plan(f"the audit of shard {number} is damaged ({error})") from error
            journal.add(directory.read_shard(number, run), entries)
            count += len(entries)
        journal.end(complete=True, exit_code=0)
    return count


def _audited(directory: RunDirectory, run: RunDescription, totals: Totals) -> Iterator[tuple[Shard, _Audit]]:
    """Every finished shard with its audit, which is empty if it is damaged."""
    done = directory.done()
    for number in range(run.shards):
        if number not in done:
            totals.found(Problem(Kind.NOT_DONE, number))
            continue
        shard = directory.read_shard(number, run)
        try:
            yield shard, _read(directory, number)
        except DamagedAuditError as error:
            totals.found(Problem(Kind.DAMAGED, number, str(error)))
            yield shard, _NONE


def _read(directory: RunDirectory, shard: int) -> _Audit:
    """The audit that the shard's marker names. Raises `DamagedAuditError`."""
    marker = directory.marker(shard)
    try:
        data = directory.audit_path(Attempt(shard, marker.attempt)).read_bytes()
    except OSError as error:
        raise DamagedAuditError(str(error)) from error
    return _Audit(data, read_audit(data, marker.audit_sha256), marker.node)


def _placed(audit: _Audit) -> bytes:
    """The audit, with the node in each line."""
    return gzipped(json.dumps({**entry, "node": audit.node}) for entry in audit.entries)


def summary_of(run: RunDescription, totals: Totals) -> dict[str, Any]:
    """The result of a merge, for programs."""
    return {
        "schema": 1,
        "run": run.run_id,
        "source": run.url,
        "destination": run.destination,
        "exit_code": totals.exit_code,
        "planned": {
            "shards": run.shards,
            "objects": run.objects,
            "bytes": run.bytes,
            "filtered": run.filtered,
        },
        "objects": {state.value: totals.states[state] for state in State},
        "bytes": totals.bytes,
        "reasons": dict(totals.reasons),
        "verdicts": dict(totals.verdicts),
        "directories": totals.directories,
        "newer_than_planned": totals.newer,
        "problems": {kind.value: count for kind, count in totals.problems.items()},
        "examples": [problem._asdict() for problem in totals.examples],
    }


class MergedManifest:
    """The manifest in RUN, a gzip file, and the summary next to it. Raises `DestinationError`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._sha256 = hashlib.sha256()
        with self._writing():
            self._file = (root / f".{MANIFEST}").open("wb")

    def add(self, data: bytes) -> None:
        """Add the lines of one shard, as a gzip file: several such files in a row are one gzip file."""
        self._sha256.update(data)
        with self._writing():
            self._file.write(data)

    def publish(self, summary: dict[str, Any]) -> None:
        """Give the files their names, when all shards were added."""
        text = json.dumps(summary | {"manifest_sha256": self._sha256.hexdigest()}, indent=1) + "\n"
        with self._writing():
            self._file.close()
            (self._root / f".{MANIFEST}").replace(self._root / MANIFEST)
            (self._root / SUMMARY).write_text(text)

    def close(self) -> None:
        self._file.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise run_error(error, f"write the manifest in {self._root}") from error


class MergedJournal:
    """The journal in the destination, as after a single run over all shards. Created by `merged_journal`. The
    rows of other prefixes stay, and if the source is one object those of all others."""

    def __init__(self, journal: Journal, source: SourceOptions) -> None:
        self._journal = journal
        self._whole = source.recursive
        self._number = journal.begin_run()
        self._first = source.prefix  # the first key that the next shard can have
        self._end = prefix_end(source.prefix)
        self._objects = self._bytes = 0

    def add(self, shard: Shard, entries: list[Entry]) -> None:
        """Add the outcomes of the next shard, in order. Other rows in its range of keys are marked as gone,
        unless the shard has no outcomes at all."""
        keys = [ref.key for ref in shard.refs[-1:]] + [entry["key"] for entry in entries[-1:]]
        end = max([self._first, *map(just_after, keys)])
        if entries:
            if self._whole:
                known = self._journal.committed.known(self._first, end).keys()
                self._journal.mark_gone(sorted(known - {entry["key"] for entry in entries}))
            self._journal.record_all([outcome_of(entry) for entry in entries])
        self._first = end
        self._objects += len(entries)
        self._bytes += sum(entry["size"] for entry in entries)
        if self._journal.backlog > BACKLOG:
            self._journal.flush()

    def end(self, *, complete: bool, exit_code: int) -> None:
        """End the run in the journal, when all shards were added."""
        if complete and self._whole:
            self._journal.mark_gone_between(self._first, self._end)
        self._journal.end_run(
            self._number,
            complete=complete,
            exit_code=exit_code,
            listed=self._objects,
            listed_bytes=self._bytes,
        )


@contextmanager
def merged_journal(run: RunDescription) -> Iterator[MergedJournal]:
    """Open the journal, then remove temporary files of killed workers: none runs any more.
    Raises `S3HaulError`."""
    identity = identity_of(run.source, run.endpoint)
    with Destination.open(Path(run.destination), force=run.force) as destination:
        destination.lock()
        path = journal_path(destination.root)
        with closing(Journal.open(path, identity, sync=destination.sync, batch=BATCH)) as journal:
            yield MergedJournal(journal, run.source)
        sweep(destination.root, run.run_id)
