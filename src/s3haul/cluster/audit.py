"""Checks that the results of the shards account for every planned key. Pure:
a shard and its audit in, problems out.

The audit of a shard is its manifest. It must have each planned key once, in order, with a state; an object
that is done must have the planned ETag or be a newer version, and must have the path of its key. Different
keys have different paths, so this also proves that no file was written twice.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from s3haul.cluster.plan import Shard, json_lines
from s3haul.models import ObjectRef, State, same_etag

MOST_EXAMPLES = 20
_STATES = frozenset(State)

Entry = dict[str, Any]  # a line of the manifest
PathOf = Callable[[ObjectRef, bool], str]  # of an object; whether it is shadowed


class Kind(StrEnum):
    """The kinds of problems."""

    NOT_DONE = "shard-not-finished"
    DAMAGED = "audit-damaged"
    MISSING = "key-missing"
    TWICE = "key-twice"
    UNPLANNED = "key-not-planned"
    ORDER = "keys-out-of-order"
    NO_STATE = "key-without-state"
    PATH = "wrong-path"


class Problem(NamedTuple):
    """One problem; `what` is the key, if it concerns one key, or the cause."""

    kind: Kind
    shard: int
    what: str = ""


class DamagedAuditError(Exception):
    """The audit is not the one that the marker was published for."""


@dataclass(slots=True)
class Totals:
    """The totals of all shards. `newer` objects changed after they were planned;
    the newer version was copied."""

    objects: int = 0
    bytes: int = 0
    states: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    verdicts: Counter[str] = field(default_factory=Counter)
    directories: int = 0  # done, and without a verdict
    newer: int = 0
    problems: Counter[Kind] = field(default_factory=Counter)
    examples: list[Problem] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        """Whether every planned key is accounted for, exactly once."""
        return not self.problems

    @property
    def exit_code(self) -> int:
        """As that of one `cp`; 1 also for a shard that is not finished, 70 for all other problems."""
        if self.problems.keys() - {Kind.NOT_DONE}:
            return 70
        if self.problems or self.states[State.FAILED]:
            return 1
        return 3 if self.states[State.SKIPPED] else 0

    def found(self, problem: Problem) -> None:
        self.problems[problem.kind] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append(problem)

    def add(self, entry: Entry) -> None:
        """Count one key."""
        state = entry["state"]
        self.objects += 1
        self.states[state] += 1
        if state == State.DONE:
            self.bytes += entry["size"]
            if verdict := entry.get("verdict"):
                self.verdicts[verdict] += 1
            else:
                self.directories += 1
        else:
            self.reasons[entry.get("reason") or ""] += 1


def read_audit(data: bytes, sha256: str) -> list[Entry]:
    """The lines of an audit. Raises `DamagedAuditError`."""
    if hashlib.sha256(data).hexdigest() != sha256:
        raise DamagedAuditError("its SHA-256 is not that of the marker")
    try:
        return json_lines(data)
    except ValueError as error:
        raise DamagedAuditError(str(error)) from error


def audit_shard(shard: Shard, entries: list[Entry], path_of: PathOf, totals: Totals) -> None:
    """Count one shard, and find its problems."""
    planned: dict[str, ObjectRef | None] = {ref.key: ref for ref in shard.refs}
    planned |= {entry.key: None for entry in shard.unusable}
    for problem in _compare(shard, planned, entries, path_of):
        totals.found(problem)
    for entry in entries:
        ref = planned.get(entry.get("key", ""))
        if entry.get("state") in _STATES:
            totals.add(entry)
            done = entry["state"] == State.DONE
            totals.newer += done and ref is not None and not same_etag(ref.etag, entry["etag"])


def _compare(
    shard: Shard, planned: dict[str, ObjectRef | None], entries: list[Entry], path_of: PathOf
) -> Iterator[Problem]:
    number, seen, last = shard.number, set[str](), ""
    for entry in entries:
        key = entry.get("key", "")
        if key in seen:
            yield Problem(Kind.TWICE, number, key)
            continue
        seen.add(key)
        if key < last:
            yield Problem(Kind.ORDER, number, key)
        last = key
        if key not in planned:
            yield Problem(Kind.UNPLANNED, number, key)
        elif entry.get("state") not in _STATES:
            yield Problem(Kind.NO_STATE, number, key)
        elif (ref := planned[key]) is not None and entry["state"] == State.DONE:
            now = ref._replace(size=entry["size"])
            if entry["path"] != path_of(now, key in shard.shadowed):
                yield Problem(Kind.PATH, number, key)
    for key in planned.keys() - seen:
        yield Problem(Kind.MISSING, number, key)
