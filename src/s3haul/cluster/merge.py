"""The end of a run: every shard's audit against the plan, one manifest, one journal in the destination.

Nothing here depends on when or where it runs: the same plan, markers and audits give the same manifest, byte by byte.
The journal is the one that a haul would have left, so that `s3haul verify`, `manifest`, `status`, and a later
`s3haul cp` of the same source go on from it.
"""

import gzip
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any, NamedTuple

from s3haul.cluster.audit import DamagedAuditError, Entry, Kind, Problem, Totals, audit_shard, read_audit
from s3haul.cluster.cutting import Shard
from s3haul.cluster.description import RunDescription
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.merged import MergedManifest, merged_journal
from s3haul.cluster.plan_files import damaged_plan
from s3haul.cluster.schedule import Attempt
from s3haul.engine.listing import natural_path
from s3haul.models import ObjectRef, State

_LEVEL = 6


class _Audit(NamedTuple):
    """The audit of a shard, as it was written and as it is read."""

    data: bytes
    entries: list[Entry]
    node: str


_NONE = _Audit(b"", [], "")


def merge(
    directory: RunDirectory, run: RunDescription, *, progress: Callable[[Totals], None] = lambda _: None
) -> Totals:
    """Audit all shards and write manifest, journal and summary. Raises `S3HaulError` for what cannot be read or
    written; what the audit finds is in the totals. Where the objects are on disks of the nodes, the manifest tells on
    which, and there is no journal of all of them."""
    totals = Totals()
    with ExitStack() as stack:
        journal = None if run.node_local else stack.enter_context(merged_journal(run))
        manifest = stack.enter_context(closing(MergedManifest(directory.root)))
        for shard, audit in _audited(directory, run, totals):
            audit_shard(shard, audit.entries, _path_of(run), totals)
            manifest.add(_placed(audit) if run.node_local else audit.data)
            if journal is not None:
                journal.add(shard, audit.entries)
            progress(totals)
        if journal is not None:
            journal.end(complete=totals.clean, exit_code=totals.exit_code)
        manifest.publish(summary_of(run, totals))
    return totals


def merge_here(directory: RunDirectory, run: RunDescription, node: str) -> int:
    """The journal of what this node has, in the destination on its disk: for `s3haul verify` and the like. How many
    objects. Raises `S3HaulError`, also for an audit that cannot be believed."""
    count = 0
    with merged_journal(run) as journal:
        for number in sorted(directory.done()):
            if directory.marker(number).node != node:
                continue
            try:
                entries = _read(directory, number).entries
            except DamagedAuditError as error:
                raise damaged_plan(f"the audit of shard {number} cannot be believed ({error})") from error
            journal.add(directory.read_shard(number, run), entries)
            count += len(entries)
        journal.end(complete=True, exit_code=0)
    return count


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
    return _Audit(data, read_audit(data, marker.audit_sha256), marker.node)


def _placed(audit: _Audit) -> bytes:
    """The audit with the node that has the objects."""
    text = "".join(json.dumps({**entry, "node": audit.node}) + "\n" for entry in audit.entries)
    return gzip.compress(text.encode("ascii"), _LEVEL, mtime=0)


def _path_of(run: RunDescription) -> Callable[[ObjectRef, bool], str]:
    return lambda ref, shadowed: str(natural_path(ref, run.source.base, shadowed=shadowed))


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
