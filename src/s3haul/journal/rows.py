"""One row of the journal: an `Outcome`, flattened, and sealed with a CRC. Pure, no I/O.

The CRC (of the whole row, its key included) is what tells a row whose bytes changed on the disk, since
SQLite would not. Text from outside is made storable here; a key that cannot be stored is refused here.
"""

import zlib
from collections.abc import Sequence
from itertools import chain, groupby, repeat
from typing import NamedTuple

from s3haul.errors import JournalError
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

OBJECTS_TABLE = """CREATE TABLE objects (
    key TEXT PRIMARY KEY, size INTEGER NOT NULL, etag TEXT NOT NULL, last_modified REAL NOT NULL,
    storage_class TEXT NOT NULL, version_id TEXT, state TEXT NOT NULL, path TEXT, reason TEXT, detail TEXT,
    verdict TEXT, algorithm TEXT, checksum_type TEXT, checksum TEXT, part_sizes TEXT NOT NULL,
    computed TEXT NOT NULL, sse TEXT NOT NULL, kms_key_id TEXT NOT NULL, attempts INTEGER NOT NULL,
    fetched INTEGER NOT NULL, run INTEGER NOT NULL, updated REAL NOT NULL,
    listed INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID"""

MAX_DETAIL = 2000  # characters
_MAX_INTEGER = 2**63 - 1
_ONES = 0xFFFFFFFF

# What is no longer listed carries the complement of its CRC, so that `listed` is sealed too and SQL alone
# can change it.
_GONE = f"UPDATE objects SET listed = 0, crc = {_ONES} - crc WHERE listed = 1 AND"  # noqa: S608 - a constant
GONE = f"{_GONE} key = ?"
GONE_AFTER = f"{_GONE} key > ?"


class Row(NamedTuple):
    """A row as it is stored; the fields are the table's columns, in their order."""

    key: str
    size: int
    etag: str
    last_modified: float
    storage_class: str
    version_id: str | None
    state: str
    path: str | None
    reason: str | None
    detail: str | None
    verdict: str | None
    algorithm: str | None
    checksum_type: str | None
    checksum: str | None
    part_sizes: str
    computed: str
    sse: str
    kms_key_id: str
    attempts: int
    fetched: int
    run: int
    updated: float
    listed: int
    crc: int

    @property
    def is_sound(self) -> bool:
        """Whether the row is as it was written."""
        crc = _crc(self[:-2])
        return self.crc == {1: crc, 0: _ONES - crc}.get(self.listed, -1)


PUT = f"INSERT OR REPLACE INTO objects VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - constants


def to_row(outcome: Outcome, run: int, now: float) -> Row:
    """The row of an outcome. Raises `JournalError` for a key or size that no journal can hold."""
    ref, checksum = outcome.ref, outcome.checksum
    if not 0 <= ref.size <= _MAX_INTEGER or not _is_storable(ref.key):
        raise JournalError(f"the journal cannot hold an object of {ref.size} bytes with the key {ref.key!a}")
    content = (
        ref.key,
        ref.size,
        storable(ref.etag),
        ref.last_modified + 0.0,  # never an int, never -0.0: SQLite would change both
        storable(ref.storage_class),
        _optional(outcome.version_id or ref.version_id),
        str(outcome.state),
        _optional(outcome.path),
        outcome.reason,
        _optional(outcome.detail and outcome.detail[:MAX_DETAIL]),
        str(outcome.verdict) if outcome.verdict else None,
        storable(checksum.algorithm) if checksum else None,
        storable(checksum.type) if checksum else None,
        storable(checksum.value) if checksum else None,
        _pack(outcome.part_sizes) if outcome.part_sizes else "",
        outcome.computed,
        storable(outcome.sse),
        storable(outcome.kms_key_id),
        outcome.attempts,
        outcome.fetched,
        run,
        now + 0.0,
    )
    return Row(*content, listed=1, crc=_crc(content))


def to_outcome(row: Row) -> Outcome:
    """The outcome behind a sound row, less what only the listing tells (checksum type, restore)."""
    checksum = None
    if row.algorithm is not None:
        checksum = Checksum(row.algorithm, row.checksum_type or "", row.checksum or "")
    return Outcome(
        ref=ObjectRef(
            row.key, row.size, row.etag, row.last_modified, row.storage_class, version_id=row.version_id
        ),
        state=State(row.state),
        path=row.path,
        reason=row.reason,
        detail=row.detail,
        verdict=Verdict(row.verdict) if row.verdict else None,
        checksum=checksum,
        part_sizes=_unpack(row.part_sizes) if row.part_sizes else (),
        computed=row.computed,
        sse=row.sse,
        kms_key_id=row.kms_key_id,
        version_id=row.version_id,
        attempts=row.attempts,
        fetched=row.fetched,
    )


def run_lengths(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes as (size, how many in a row): all parts of an upload but the last are mostly of one size."""
    return [(size, len(list(group))) for size, group in groupby(sizes)]


def _pack(sizes: Sequence[int]) -> str:
    return ",".join(f"{size}x{count}" for size, count in run_lengths(sizes))


def _unpack(text: str) -> tuple[int, ...]:
    runs = (run.split("x") for run in text.split(","))
    return tuple(chain.from_iterable(repeat(int(size), int(count)) for size, count in runs))


def _crc(content: tuple[object, ...]) -> int:
    # ascii() is the same in every Python; what repr() escapes depends on its Unicode version.
    return zlib.crc32(ascii(content).encode("ascii"))


def storable(text: str) -> str:
    """Text as it can be stored: that SQLite can hold: headers that are not UTF-8 arrive with lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def _optional(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _is_storable(key: str) -> bool:
    return storable(key) == key
