"""The manifest: one JSON line per listed key, in key order, read from the journal.

Output is ASCII: all other characters of keys and messages are escaped. `path` is relative to the destination,
`etag` includes its quotes, times are UTC.
"""

import json
from collections.abc import Container, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from s3haul.core.text import iso_time
from s3haul.journal.reader import Reader
from s3haul.journal.rows import run_lengths
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict


def manifest_lines(
    journal_path: Path, states: Container[str] = frozenset(State), reasons: Container[str] = ()
) -> Iterator[str]:
    """The entries as JSON, without line ends."""
    return map(json.dumps, manifest_entries(journal_path, states, reasons))


def manifest_entries(
    journal_path: Path, states: Container[str] = frozenset(State), reasons: Container[str] = ()
) -> Iterator[dict[str, Any]]:
    """One entry per listed key whose state is in `states` and, if there are `reasons`, whose reason is in
    them. During a run, each row is read as it is at that moment.

    Raises `JournalError` if there is no usable journal. Entries that were yielded before are correct.
    """
    with Reader(journal_path) as reader:
        for outcome in reader.outcomes():
            if outcome.state in states and (not reasons or outcome.reason in reasons):
                yield manifest_entry(outcome)


def manifest_entry(outcome: Outcome) -> dict[str, Any]:
    """One line as a dict. `detail`, `computed` and `part_sizes` are left out if they are empty.

    `part_sizes` is a list of [size, number of consecutive parts with it]. `computed` is the base64 CRC64NVME
    of the bytes that were received, if S3 stores no checksum that s3haul can compute.
    """
    ref, checksum = outcome.ref, outcome.checksum
    entry: dict[str, Any] = {
        "key": ref.plain_key,
        "version_id": outcome.version_id,
        "etag": ref.etag,
        "size": ref.size,
        "last_modified": iso_time(ref.last_modified),
        "path": outcome.path,
        "state": outcome.state,
        "reason": outcome.reason,
        "verdict": outcome.verdict,
        "checksum": checksum
        and {"algorithm": checksum.algorithm, "type": checksum.type, "value": checksum.value},
        "sse": outcome.sse or None,
        "kms_key_id": outcome.kms_key_id or None,
        "storage_class": ref.storage_class,
        "content_type": outcome.content_type or None,
    }
    if outcome.user_metadata:
        entry["user_metadata"] = json.loads(outcome.user_metadata)
    if outcome.detail:
        entry["detail"] = outcome.detail
    if outcome.computed:
        entry["computed"] = outcome.computed
    if outcome.part_sizes:
        entry["part_sizes"] = run_lengths(outcome.part_sizes)
    return entry


def outcome_of(entry: dict[str, Any]) -> Outcome:
    """The outcome behind an entry of `manifest_entry`, less what the manifest leaves out. Raises ValueError,
    KeyError or TypeError for what is none."""
    checksum, metadata = entry["checksum"], entry.get("user_metadata")
    moment = entry["last_modified"]
    ref = ObjectRef(
        key=entry["key"],
        size=entry["size"],
        etag=entry["etag"],
        last_modified=datetime.fromisoformat(moment).timestamp() if moment else 0.0,
        storage_class=entry["storage_class"],
    )
    return Outcome(
        ref,
        State(entry["state"]),
        path=entry["path"],
        reason=entry["reason"],
        detail=entry.get("detail"),
        verdict=Verdict(entry["verdict"]) if entry["verdict"] else None,
        checksum=Checksum(checksum["algorithm"], checksum["type"], checksum["value"]) if checksum else None,
        part_sizes=tuple(size for size, count in entry.get("part_sizes", ()) for _ in range(count)),
        computed=entry.get("computed", ""),
        sse=entry["sse"] or "",
        kms_key_id=entry["kms_key_id"] or "",
        version_id=entry["version_id"],
        content_type=entry["content_type"] or "",
        user_metadata=json.dumps(metadata) if metadata else "",
    )
