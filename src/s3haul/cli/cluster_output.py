"""What `s3haul cluster` shows: plan, progress, checks of nodes, the summary of a merge,
the state and the cost of a run."""

import json as jsonlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from s3haul.cli import streams
from s3haul.core.text import command_line, human_bytes, human_count, human_duration, show
from s3haul.diagnose.reasons import REASONS
from s3haul.models import State

if TYPE_CHECKING:  # help stays fast
    from s3haul.cluster.audit import Totals
    from s3haul.cluster.directory import RunDirectory
    from s3haul.cluster.driver import Progress
    from s3haul.cluster.records import Marker, RunDescription
    from s3haul.cluster.status import RunStatus
    from s3haul.cluster.worker import NodeCheck

MAX_ROWS = 10  # attempts or nodes that are shown one by one


def print_plan(directory: "RunDirectory", run: "RunDescription", *, json: bool) -> None:
    """Print what was planned."""
    if run.external_id_apart:
        streams.print_message(
            "! Every worker needs the External ID in its environment, as S3HAUL_EXTERNAL_ID."
        )
    if json:
        plan = {"shards": run.shards, "objects": run.objects, "bytes": run.bytes, "filtered": run.filtered}
        streams.print_line(
            jsonlib.dumps({"schema": 1, "run": run.run_id, "directory": str(directory.root), **plan})
        )
        return
    objects, size = human_count(run.objects, "object"), human_bytes(run.bytes)
    streams.print_line(f"{show(run.url)} -> {show(run.destination)}")
    streams.print_line(f"  planned   {objects}, {size}, in {human_count(run.shards, 'shard')}")
    if run.filtered:
        streams.print_line(f"  filtered  {human_count(run.filtered, 'object')}")
    streams.print_line(f"  next      s3haul cluster run {show(str(directory.root))}")


def progress_line(run: "RunDescription", before: "Progress", state: "Progress", seconds: float) -> str:
    """The state of all workers in one line; `before` is the state at the start."""
    rate = max(0, state.bytes - before.bytes) / max(seconds, 1e-9)
    left = (
        f", {human_duration((run.bytes - state.bytes) / rate)} left"
        if rate and run.bytes > state.bytes
        else ""
    )
    notes = ", ".join(
        f"{count:,} {word}"
        for count, word in ((state.retried, "tried again"), (state.poisoned, "given up"))
        if count
    )
    return (
        f"{state.done:,} of {human_count(run.shards, 'shard')}, {state.running} in progress,"
        f" {state.objects:,} of {human_count(run.objects, 'object')}, {human_bytes(state.bytes)} of"
        f" {human_bytes(run.bytes)}, {human_bytes(rate)}/s{left}{notes and f', {notes}'}"
    )


def shard_line(marker: "Marker") -> str:
    """One finished shard."""
    objects, size = human_count(marker.objects, "object"), human_bytes(marker.bytes)
    failed = sum(marker.failed.values())
    return (
        f"shard {marker.shard}: {objects}, {size} in {human_duration(marker.seconds)}"
        f" by attempt {marker.attempt}{f', {failed:,} failed' if failed else ''}"
    )


def print_checks(checks: "Sequence[NodeCheck]", *, json: bool) -> None:
    """Print what was found on each node."""
    if json:
        streams.print_line(jsonlib.dumps({"schema": 1, "nodes": [asdict(check) for check in checks]}))
    else:
        streams.print_report("\n".join(line for check in checks for line in _check_lines(check)))


def _check_lines(check: "NodeCheck") -> Iterator[str]:
    result = f"exit code {check.exit_code}" if check.exit_code else "no problems found"
    yield f"{show(check.node)}: {result}"
    for problem in check.problems:
        yield f"  x {show(problem['message'])}   [{problem['id']}]"
        yield f"    Fix: {show(problem['hint'])}"
    for finding in check.findings:
        yield f"  {'x' if finding['level'] == 'error' else '!'} {show(finding['title'])}   [{finding['id']}]"
        yield f"    {show(finding['who'])}: {show(finding['fix'])}"


def merge_lines(directory: "RunDirectory", run: "RunDescription", totals: "Totals") -> Iterator[str]:
    """The summary of a merge, for a person."""
    yield f"{show(run.url)} -> {show(run.destination)}"
    yield f"  planned   {human_count(run.objects, 'object')} in {human_count(run.shards, 'shard')}"
    for state in ("done", "skipped", "failed"):
        count = totals.states[state]
        if count or state == "done":
            size = f", {human_bytes(totals.bytes)}" if state == "done" else ""
            yield f"  {state:<9} {human_count(count, 'object')}{size}"
    counts = {**dict(sorted(totals.verdicts.items())), "directories": totals.directories}
    verdicts = ", ".join(f"{verdict}: {count:,}" for verdict, count in counts.items() if count)
    if verdicts:
        yield f"  verdicts  {verdicts}"
    yield from _reason_lines("reason", totals.reasons)
    for state in (State.SKIPPED, State.FAILED):
        if totals.states[state]:
            yield f"  list them {command_line(('s3haul', 'manifest', run.destination, '--state', state))}"
    if totals.newer:
        yield f"  newer     {human_count(totals.newer, 'object')} had changed since the plan, and are here as they are now"
    for kind, count in totals.problems.items():
        examples = [each for each in totals.examples if each.kind is kind][:3]
        names = "; ".join(f"shard {each.shard} {show(each.what)}".strip() for each in examples)
        yield f"x {kind.value}: {count:,} (for example {names})"
    if totals.clean:
        yield "  audit     every planned key is accounted for exactly once"
        yield f"  manifest  {show(str(directory.root / 'manifest.jsonl.gz'))}"
        merge = command_line(("s3haul", "cluster", "merge", str(directory.root), "--here"))
        verify = command_line(("s3haul", "verify", run.destination))
        yield f"  verify    {f'{merge}, then {verify}' if run.node_local else verify}"
    else:
        yield f"  next      {command_line(('s3haul', 'cluster', 'resume', str(directory.root)))}"


def print_state(root: Path, *, costs: bool, json: bool) -> None:
    """Print how far a run is; with `costs` also what it took."""
    from s3haul.cluster.directory import RunDirectory  # noqa: PLC0415 - help stays fast
    from s3haul.cluster.status import read_status  # noqa: PLC0415 - same

    found = read_status(RunDirectory(root))
    if json:
        streams.print_line(jsonlib.dumps(as_object(found)))
    else:
        streams.print_report("\n".join((*status_lines(found), *(cost_lines(found) if costs else ()))))


def status_lines(found: "RunStatus") -> Iterator[str]:
    """For a person."""
    run = found.run
    yield f"{show(run.url)} -> {show(run.destination)}"
    yield f"  planned   {human_count(run.objects, 'object')}, {human_bytes(run.bytes)}, in {human_count(run.shards, 'shard')}"
    done = f"{human_count(found.objects, 'object')}, {human_bytes(found.bytes)}"
    yield f"  done      {human_count(found.shards_done, 'shard')}, with {done}"
    for each in found.under_way[:MAX_ROWS]:
        yield (
            f"  at work   shard {each.shard}, attempt {each.attempt}, {human_count(each.objects, 'object')},"
            f" {human_bytes(each.bytes)}, process {each.pid} on {show(each.node)}"
        )
    if len(found.under_way) > MAX_ROWS:
        yield f"  at work   {len(found.under_way) - MAX_ROWS:,} more"
    if found.retried:
        yield f"  retried   {human_count(len(found.retried), 'shard')}"
    yield from _reason_lines("skipped", found.skipped)
    yield from _reason_lines("failed", found.failed)


def cost_lines(found: "RunStatus") -> Iterator[str]:
    """How long shards took, and what was repeated."""
    shortest, median, longest = map(human_duration, found.quantiles())
    yield f"  a shard   took {shortest} at least, {median} in the middle, {longest} at most"
    if found.again:
        yield f"  again     {human_count(found.again, 'object')} that a lost attempt had already downloaded"
    for name, work in sorted(found.nodes.items(), key=lambda item: -item[1].bytes)[:MAX_ROWS]:
        size = f"{human_count(work.objects, 'object')}, {human_bytes(work.bytes)}"
        yield f"  node      {show(name)}: {human_count(work.shards, 'shard')}, {size}, {human_duration(work.seconds)} of work"
    for reason, count in found.retries.most_common():
        yield f"  requests  {count:,} were repeated: {reason}"
    for warning, shards in found.warnings.most_common(MAX_ROWS):
        yield f"! {show(warning)} (in {human_count(shards, 'shard')})"
    for event in found.events[-MAX_ROWS:]:
        yield (
            f"  {event['event']:<9} shard {event['shard']}, attempt {event['number']}"
            f" on {show(event['node'] or 'an unknown node')}: {show(event['what'])}"
        )


def as_object(found: "RunStatus") -> dict[str, Any]:
    """For programs."""
    shortest, median, longest = found.quantiles()
    return {
        "schema": 1,
        "run": found.run.run_id,
        "source": found.run.url,
        "destination": found.run.destination,
        "planned": {"shards": found.run.shards, "objects": found.run.objects, "bytes": found.run.bytes},
        "done": {"shards": found.shards_done, "objects": found.objects, "bytes": found.bytes},
        "complete": found.complete,
        "under_way": [asdict(each) for each in found.under_way],
        "attempts": {str(shard): latest for shard, latest in found.retried.items()},
        "found_again": found.again,
        "skipped": dict(found.skipped),
        "failed": dict(found.failed),
        "repeated_requests": dict(found.retries),
        "shard_seconds": {"min": shortest, "median": median, "max": longest},
        "warnings": dict(found.warnings),
        "nodes": {name: asdict(work) for name, work in found.nodes.items()},
        "events": found.events,
    }


def _reason_lines(label: str, reasons: Mapping[str, int]) -> Iterator[str]:
    for reason, count in sorted(reasons.items(), key=lambda item: -item[1]):
        known = REASONS.get(reason)
        sentence = f"{known.sentence}   [{known.id}]" if known else show(reason)
        yield f"  {label:<9} {count:,}: {sentence}"
