"""The end of a run: every shard's audit against the plan, one manifest, one journal in the destination.

Nothing here depends on when or where it runs: the same plan, markers and audits give the same manifest, byte by byte.
The journal is the one that a haul would have left, so that `s3haul verify`, `manifest`, `status`, and a later
`s3haul cp` of the same source go on from it.
"""

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from s3haul.cluster.audit import DamagedAuditError, Entry, Kind, Problem, Totals, audit_shard, read_audit
from s3haul.cluster.cutting import Shard
from s3haul.cluster.description import RunDescription
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.schedule import Attempt
from s3haul.core.key_ranges import just_after
from s3haul.disk import Destination
from s3haul.disk.shards import sweep
from s3haul.engine.listing import natural_path
from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.location import journal_path
from s3haul.journal.manifest import outcome_of
from s3haul.models import ObjectRef, State

MANIFEST = "manifest.jsonl.gz"
SUMMARY = "summary.json"
BATCH = 20_000  # rows in one commit, each of which syncs the file system
BACKLOG = 100_000  # rows that wait in memory


class _Audit(NamedTuple):
    """The audit of a shard, as it was written and as it is read."""

    data: bytes
    entries: list[Entry]


_NONE = _Audit(b"", [])


def merge(
    directory: RunDirectory, run: RunDescription, *, progress: Callable[[Totals], None] = lambda _: None
) -> Totals:
    """Audit all shards and write manifest, journal and summary. Raises `S3HaulError` for what cannot be read or
    written; what the audit finds is in the totals."""
    totals = Totals()
    with ExitStack() as stack:
        destination = stack.enter_context(Destination.open(Path(run.destination), force=run.force))
        destination.lock()  # no worker is left
        books = stack.enter_context(closing(_Books(directory, run, destination)))
        for shard, audit in _audited(directory, run, totals):
            audit_shard(shard, audit.entries, _path_of(run), totals)
            books.add(shard, audit)
            progress(totals)
        books.end(totals)
        sweep(destination.root, run.run_id)
    return totals


def _audited(directory: RunDirectory, run: RunDescription, totals: Totals) -> Iterator[tuple[Shard, _Audit]]:
    """Every shard with its audit; an empty one where there is none that can be believed."""
    done = directory.done()
    for number in range(run.shards):
        shard = directory.read_shard(number, run)
        if number not in done:
            totals.found(Problem(Kind.NOT_DONE, number))
            yield shard, _NONE
            continue
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
    return _Audit(data, read_audit(data, marker.audit_sha256))


def _path_of(run: RunDescription) -> Callable[[ObjectRef, bool], str]:
    return lambda ref, shadowed: str(natural_path(ref, run.source.base, shadowed=shadowed))


class _Books:
    """The merged manifest and journal, written shard by shard."""

    def __init__(self, directory: RunDirectory, run: RunDescription, destination: Destination) -> None:
        self._directory, self._run = directory, run
        self._sha256 = hashlib.sha256()
        self._first = ""  # the least key that the next shard can have
        self._manifest: BinaryIO = (directory.root / f".{MANIFEST}").open("wb")
        identity = SourceIdentity(run.source.bucket, run.source.base, run.endpoint)
        try:
            self._journal = Journal.open(
                journal_path(destination.root), identity, sync=destination.sync, batch=BATCH
            )
        except BaseException:
            self._manifest.close()
            raise
        self._number = self._journal.begin_run()

    def add(self, shard: Shard, audit: _Audit) -> None:
        """The outcomes of one shard. Audits are gzip files: one after the other, they are one gzip file."""
        data, entries = audit
        self._sha256.update(data)
        self._manifest.write(data)
        ends = [ref.key for ref in shard.refs[-1:]] + [entry["key"] for entry in entries[-1:]]
        end = max([self._first, *map(just_after, ends)])
        if entries:
            known = self._journal.known(self._first, end).keys()
            self._journal.mark_gone(sorted(known - {entry["key"] for entry in entries}))
            self._journal.record_all([outcome_of(entry) for entry in entries])
        self._first = end
        if self._journal.backlog > BACKLOG:
            self._journal.flush()

    def end(self, totals: Totals) -> None:
        """All shards were added."""
        if totals.clean:
            self._journal.mark_gone_between(self._first, None)
        self._journal.end_run(
            self._number,
            complete=totals.clean,
            exit_code=totals.exit_code,
            listed=totals.objects,
            listed_bytes=self._run.bytes,
        )
        self._manifest.close()
        root = self._directory.root
        (root / f".{MANIFEST}").replace(root / MANIFEST)
        summary = summary_of(self._run, totals) | {"manifest_sha256": self._sha256.hexdigest()}
        (root / SUMMARY).write_text(json.dumps(summary, indent=1) + "\n")

    def close(self) -> None:
        self._manifest.close()
        self._journal.close()


def summary_of(run: RunDescription, totals: Totals) -> dict[str, Any]:
    """What a merge found, for programs."""
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
        "newer_than_planned": totals.newer,
        "problems": {kind.value: count for kind, count in totals.problems.items()},
        "examples": [problem._asdict() for problem in totals.examples],
    }
