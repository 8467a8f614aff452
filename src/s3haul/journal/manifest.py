"""The manifest: one JSON line per listed key, in key order, read from the journal.

Pure ASCII: whatever a key or a message holds is escaped. `path` is relative to the destination, `etag`
keeps its quotes, times are UTC.
"""

import json
from collections.abc import Container, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from s3haul.journal.reader import Reader
from s3haul.journal.rows import run_lengths
from s3haul.models import Outcome, State


def manifest_lines(journal_path: Path, states: Container[str] = frozenset(State)) -> Iterator[str]:
    """The entries as JSON, without line ends."""
    return map(json.dumps, manifest_entries(journal_path, states))


def manifest_entries(
    journal_path: Path, states: Container[str] = frozenset(State)
) -> Iterator[dict[str, Any]]:
    """One entry per listed key that ended so. Works during a run too, row by row as it stands.

    Raises `JournalError` where there is no usable journal; entries already given are right.
    """
    with Reader(journal_path) as reader:
        for outcome in reader.outcomes():
            if outcome.state in states:
                yield manifest_entry(outcome)


def manifest_entry(outcome: Outcome) -> dict[str, Any]:
    """One line as a dict. `detail`, `computed` and `part_sizes` are there only where they say something.

    `part_sizes` is a list of [size, how many in a row]; `computed` is the base64 CRC64NVME of the bytes
    that were received, where S3 stores no checksum that can be computed.
    """
    ref, checksum = outcome.ref, outcome.checksum
    entry: dict[str, Any] = {
        "key": ref.plain_key,
        "version_id": outcome.version_id,
        "etag": ref.etag,
        "size": ref.size,
        "last_modified": _iso(ref.last_modified),
        "storage_class": ref.storage_class,
        "path": outcome.path,
        "state": outcome.state,
        "reason": outcome.reason,
        "verdict": outcome.verdict,
        "checksum": checksum
        and {"algorithm": checksum.algorithm, "type": checksum.type, "value": checksum.value},
        "sse": outcome.sse or None,
        "kms_key_id": outcome.kms_key_id or None,
    }
    if outcome.detail:
        entry["detail"] = outcome.detail
    if outcome.computed:
        entry["computed"] = outcome.computed
    if outcome.part_sizes:
        entry["part_sizes"] = run_lengths(outcome.part_sizes)
    return entry


def _iso(seconds: float) -> str | None:
    """`2026-01-02T03:04:05Z`; None where the time is unknown, or beyond the calendar."""
    if not 0 < seconds < 253402300800:  # the year 10000
        return None
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds") + "Z"
