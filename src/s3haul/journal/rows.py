"""One row of the journal: an `Outcome`, flattened, and sealed with a CRC. Pure, no I/O.

What many objects share is their kind (see `kinds`), and a row holds its number. The CRC is of the whole row, its key
and its kind included: it is what tells a row whose bytes changed on the disk, since SQLite would not. Text from
outside is made storable here; a key that cannot be stored is refused here.
"""

import struct
import zlib
from collections.abc import Sequence
from itertools import chain, groupby, repeat
from struct import Struct
from typing import Any, NamedTuple

from s3haul.errors import JournalError
from s3haul.journal.kinds import NumberedKind
from s3haul.journal.storable import storable
from s3haul.models import Checksum, ObjectRef, Outcome

# No column is NULL: to bind None costs as much as to bind five texts, and an empty text takes no more room. SQLite
# stores a REAL as an integer where that is exact.
OBJECTS_TABLE = """CREATE TABLE objects (
    key TEXT PRIMARY KEY, etag TEXT NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
    version_id TEXT NOT NULL, detail TEXT NOT NULL, part_sizes TEXT NOT NULL, computed TEXT NOT NULL,
    size INTEGER NOT NULL, last_modified REAL NOT NULL, kind INTEGER NOT NULL, attempts INTEGER NOT NULL,
    fetched INTEGER NOT NULL, run INTEGER NOT NULL, updated REAL NOT NULL,
    listed INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID"""

MAX_DETAIL = 2000  # characters
_MAX_INTEGER = 2**63 - 1
_ONES = 0xFFFFFFFF
# As `path`: a key's own path, which is what of it lies below the base; none; and the destination itself.
_OWN_PATH, _NO_PATH, _ROOT = "", "/", "//"
_TEXTS, _NUMBERS = 8, Struct("<qdqqqqd")  # the columns that the CRC is of, in their order

# What is no longer listed carries the complement of its CRC, so that `listed` is sealed too and SQL alone
# can change it.
_GONE = f"UPDATE objects SET listed = 0, crc = {_ONES} - crc WHERE listed = 1 AND"  # noqa: S608 - a constant
GONE = f"{_GONE} key = ?"
GONE_AFTER = f"{_GONE} key > CAST(? AS TEXT)"  # a `bound`


class Row(NamedTuple):
    """A row as it is stored; the fields are the table's columns, in their order."""

    key: str
    etag: str
    path: str
    checksum: str
    version_id: str
    detail: str
    part_sizes: str
    computed: str
    size: int
    last_modified: float
    kind: int
    attempts: int
    fetched: int
    run: int
    updated: float
    listed: int
    crc: int


PUT = f"INSERT OR REPLACE INTO objects VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - constants


def to_row(outcome: Outcome, kind: NumberedKind, base: str, run: int, now: float) -> tuple[Any, ...]:
    """The row of an outcome of this kind. Raises `JournalError` for a key or size that no journal can hold."""
    ref, _, path, _, detail, _, checksum, part_sizes, computed, _, _, version_id, attempts, fetched = outcome
    key, size = ref.key, ref.size
    if not 0 <= size <= _MAX_INTEGER or storable(key) != key:
        raise JournalError(f"the journal cannot hold an object of {size} bytes with the key {key!a}")
    own_path = key[len(base) :]
    content = (
        key,
        storable(ref.etag),
        _OWN_PATH if path == own_path else _NO_PATH if path is None else storable(path) or _ROOT,
        storable(checksum.value) if checksum else "",
        storable(version_id or ref.version_id or ""),
        storable(detail[:MAX_DETAIL]) if detail else "",
        _pack(part_sizes) if part_sizes else "",
        computed,
        size,
        ref.last_modified + 0.0,  # never an int, never -0.0: SQLite would change both
        kind.number,
        attempts,
        fetched,
        run,
        now // 1 + 0.0,
    )
    return *content, 1, _seal(content, kind)


def gone(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of `to_row` as `GONE` would leave it."""
    return *row[:-2], 0, _ONES - row[-1]


def is_sound(row: tuple[Any, ...], kind: NumberedKind) -> bool:
    """Whether a row, and the kind that it names, are as they were written."""
    listed, crc = row[-2:]
    try:
        seal = _seal(row[:-2], kind)
    except (TypeError, struct.error):  # a value of another type than was written
        return False
    return bool(crc == seal if listed == 1 else listed == 0 and crc == _ONES - seal)


def path_of(row: Row, base: str) -> str | None:
    """The path that a row tells, relative to the destination."""
    if row.path == _OWN_PATH:
        return row.key[len(base) :]
    return {_NO_PATH: None, _ROOT: ""}.get(row.path, row.path)


def to_outcome(row: Row, numbered: NumberedKind, base: str) -> Outcome:
    """The outcome behind a sound row, less what only the listing tells (checksum type, restore)."""
    kind, version_id = numbered.kind, row.version_id or None
    checksum = None
    if kind.algorithm is not None:
        checksum = Checksum(kind.algorithm, kind.checksum_type or "", row.checksum)
    return Outcome(
        ref=ObjectRef(
            row.key, row.size, row.etag, row.last_modified, kind.storage_class, version_id=version_id
        ),
        state=kind.state,
        path=path_of(row, base),
        reason=kind.reason,
        detail=row.detail or None,
        verdict=kind.verdict,
        checksum=checksum,
        part_sizes=unpack(row.part_sizes) if row.part_sizes else (),
        computed=row.computed,
        sse=kind.sse,
        kms_key_id=kind.kms_key_id,
        version_id=version_id,
        attempts=row.attempts,
        fetched=row.fetched,
    )


def run_lengths(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes as (size, how many in a row): all parts of an upload but the last are mostly of one size."""
    return [(size, len(list(group))) for size, group in groupby(sizes)]


def _pack(sizes: Sequence[int]) -> str:
    return ",".join(f"{size}x{count}" for size, count in run_lengths(sizes))


def unpack(text: str) -> tuple[int, ...]:
    """The sizes of `part_sizes`."""
    runs = (run.split("x") for run in text.split(","))
    return tuple(chain.from_iterable(repeat(int(size), int(count)) for size, count in runs))


def _seal(content: tuple[Any, ...], kind: NumberedKind) -> int:
    texts, numbers = "\0".join(content[:_TEXTS]), _NUMBERS.pack(*content[_TEXTS:])
    return zlib.crc32(texts.encode(), zlib.crc32(numbers, kind.seal))
