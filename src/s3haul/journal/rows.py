"""The rows of the journal: an `Outcome` as columns, with a CRC;
a partial object and its blocks. Pure, no I/O.

What many objects share (state, reason, encryption and so on) is a kind: a row of its own that is written once
and never changed; the row of an object contains its number. The CRC covers the whole row, with its key and
its kind: SQLite does not notice bytes that changed on the disk, the CRC does. Text from outside is made
storable here; a key that cannot be stored is refused here.

The tables of partial objects are not trusted: a block is reused only if the bytes in the temporary file still
have its CRC. So their rows need no CRC, and the order of the statements does not matter.
"""

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby, repeat
from struct import Struct
from threading import Lock
from typing import Any, NamedTuple

from s3haul.errors import JournalError
from s3haul.models import Block, Checksum, ObjectRef, Outcome, Partial, State, Verdict

# No column is NULL: binding None takes as long as binding five texts, and an empty text needs no more space.
# SQLite stores a REAL as an integer if that is exact.
OBJECTS_TABLE = """CREATE TABLE objects (
    key TEXT PRIMARY KEY, etag TEXT NOT NULL, path TEXT NOT NULL, checksum TEXT NOT NULL,
    version_id TEXT NOT NULL, detail TEXT NOT NULL, part_sizes TEXT NOT NULL, computed TEXT NOT NULL,
    size INTEGER NOT NULL, last_modified REAL NOT NULL, kind INTEGER NOT NULL, attempts INTEGER NOT NULL,
    fetched INTEGER NOT NULL, run INTEGER NOT NULL, updated REAL NOT NULL,
    listed INTEGER NOT NULL, crc INTEGER NOT NULL, user_metadata TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID"""
# Finds the object of a path that is not the key without the base.
PATHS_INDEX = "CREATE INDEX paths ON objects (path) WHERE path != ''"
# To a table of version 3.
ADD_METADATA = "ALTER TABLE objects ADD COLUMN user_metadata TEXT NOT NULL DEFAULT ''"

MAX_DETAIL = 2000  # characters
_MAX_INTEGER = 2**63 - 1
_ONES = 0xFFFFFFFF
# Values of `path`: the key without the base (the usual case); no path; the destination itself.
_OWN_PATH, _NO_PATH, _ROOT = "", "/", "//"
_TEXTS, _NUMBERS = 8, Struct("<qdqqqqd")  # the columns that the CRC covers, in their order

# A row that is no longer listed has the complement of its CRC. So the CRC also protects `listed`, and an
# UPDATE can change it without reading the row.
_GONE = f"UPDATE objects SET listed = 0, crc = {_ONES} - crc WHERE listed = 1 AND run < ? AND"  # noqa: S608 - a constant
GONE = f"{_GONE} key = ?"
GONE_RAW = f"{_GONE} key = CAST(? AS TEXT)"  # for a key that is no UTF-8, as its bytes
GONE_BETWEEN = f"{_GONE} key >= CAST(? AS TEXT) AND key < CAST(? AS TEXT)"
_BEYOND_ALL_KEYS = b"\xff" * 1025  # S3 allows 1,024 bytes; SQLite compares bytes
PARTIAL_TABLES = (
    """CREATE TABLE partials (temporary TEXT PRIMARY KEY, key TEXT NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, algorithm TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE blocks (temporary TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    crc BLOB NOT NULL, PRIMARY KEY (temporary, start)) WITHOUT ROWID""",
)
PUT_PARTIAL = "INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?, ?)"
PUT_BLOCK = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)"
DROP_PARTIAL = "DELETE FROM partials WHERE temporary = ?"
DROP_BLOCKS = "DELETE FROM blocks WHERE temporary = ?"
PARTIALS = "SELECT key, etag, size, temporary, algorithm FROM partials"
BLOCKS = "SELECT start, size, crc FROM blocks WHERE temporary = ? ORDER BY start"
KINDS_TABLE = """CREATE TABLE kinds (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, reason TEXT, verdict TEXT, algorithm TEXT,
    checksum_type TEXT, storage_class TEXT NOT NULL, sse TEXT NOT NULL, kms_key_id TEXT NOT NULL,
    content_type TEXT NOT NULL DEFAULT ''
)"""
# To a table of version 3.
ADD_CONTENT_TYPE = "ALTER TABLE kinds ADD COLUMN content_type TEXT NOT NULL DEFAULT ''"
PUT_KIND = "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KIND = "SELECT * FROM kinds WHERE number = ?"
REMEMBERED = 4096  # kinds in memory; usually there are a few, unless every object has its own KMS key
LATEST_KINDS = f"SELECT * FROM kinds ORDER BY number DESC LIMIT {REMEMBERED}"  # noqa: S608 - a constant


class Kind(NamedTuple):
    """The part of an `Outcome` that many objects share. One that was dropped from memory, because there were
    too many, may get a second number."""

    state: State
    reason: str | None
    verdict: Verdict | None
    algorithm: str | None
    checksum_type: str | None
    storage_class: str
    sse: str
    kms_key_id: str
    content_type: str = ""


class NumberedKind(NamedTuple):
    """A kind as stored. `seal` is a CRC of the kind and of the journal's base,
    the start value of each row's CRC."""

    number: int
    kind: Kind
    seal: int


class KindNumbers:
    """The numbers of kinds, for one writer of a journal. Safe to use from several threads at once.

    `put` queues a row of the table, before any row that refers to it.
    `latest` are the rows of `LATEST_KINDS`.
    """

    def __init__(
        self, base: str, put: Callable[[tuple[Any, ...]], object], latest: Sequence[tuple[Any, ...]] = ()
    ) -> None:
        self._base = base
        self._put = put
        self._lock = Lock()
        self._known = {tuple(found.kind): found for found in _readable(latest, base)}
        self._last: int = latest[0][0] if latest else 0

    def of(self, outcome: Outcome) -> NumberedKind:
        """The kind of an outcome."""
        ref, state, _, reason, _, verdict, checksum, _, _, sse, kms_key_id, _, _, _, content_type, _ = outcome
        algorithm, checksum_type = checksum[:2] if checksum else (None, None)
        stored = (ref.storage_class, sse, kms_key_id, content_type)
        kind = (state, reason, verdict, algorithm, checksum_type, *stored)
        return self._known.get(kind) or self._new(kind)

    def _new(self, kind: tuple[Any, ...]) -> NumberedKind:
        with self._lock:
            if kind in self._known:  # another thread added it meanwhile
                return self._known[kind]
            row = (self._last + 1, *map(_stored, kind))
            self._put(row)
            self._last += 1
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            return self._known.setdefault(kind, numbered(row, self._base))


def numbered(row: tuple[Any, ...], base: str) -> NumberedKind:
    """A row of the table, read. Raises ValueError for what is no kind.

    Without a content type it is sealed as in version 3, which knew of none.
    """
    number, state, reason, verdict, *rest = row
    kind = Kind(State(state), reason, verdict and Verdict(verdict), *rest)
    sealed = row if kind.content_type != "" else row[: len(Kind._fields)]
    return NumberedKind(number, kind, zlib.crc32(ascii((base, *sealed)).encode("ascii")))


def _readable(rows: Sequence[tuple[Any, ...]], base: str) -> Iterator[NumberedKind]:
    for row in rows:
        with contextlib.suppress(ValueError):
            yield numbered(row, base)


def _stored(value: str | None) -> str | None:
    return None if value is None else storable(str(value))


def storable(text: str) -> str:
    """The text, with lone surrogates escaped: header values that are not UTF-8 contain them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def end_of_keys(end: str | None) -> str | bytes:
    """The exclusive end of a range of keys, as a parameter of CAST(? AS TEXT)."""
    return _BEYOND_ALL_KEYS if end is None else key_bytes(end)


class Row(NamedTuple):
    """A row as stored. The fields are the columns of the table, in their order."""

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
    user_metadata: str = ""  # version 3 had none


PUT = f"INSERT OR REPLACE INTO objects VALUES ({', '.join('?' * len(Row._fields))})"  # noqa: S608 - constants
PUT_RAW = PUT.replace("(?", "(CAST(? AS TEXT)", 1)  # as GONE_RAW


def to_row(outcome: Outcome, kind: NumberedKind, base: str, run: int, now: float) -> tuple[Any, ...]:
    """The row of an outcome of this kind; its key is bytes where these are no UTF-8. Raises `JournalError`
    for a key or size that no journal can store."""
    ref, _, path, _, detail, _, checksum, part_sizes, computed, _, _, version_id, *counts, _, metadata = (
        outcome
    )
    key, size = ref.key, ref.size
    try:
        kept_key: str | bytes | None = key_bytes(key)
    except ValueError:
        kept_key = None
    if not 0 <= size <= _MAX_INTEGER or kept_key is None:
        raise JournalError(f"the journal cannot store an object of {size} bytes with the key {key!a}")
    is_own = path == key[len(base) :] and key.startswith(base)
    content = (
        key,
        storable(ref.etag),
        _OWN_PATH if is_own else _NO_PATH if path is None else storable(path) or _ROOT,
        storable(checksum.value) if checksum else "",
        storable(version_id or ref.version_id or ""),
        storable(detail[:MAX_DETAIL]) if detail else "",
        _pack(part_sizes) if part_sizes else "",
        computed,
        size,
        # Not an int and not -0.0: SQLite returns other values for both, and the CRC fails.
        ref.last_modified + 0.0,
        kind.number,
        *counts,
        run,
        now // 1 + 0.0,
    )
    return kept_key, *content[1:], 1, _seal(content, kind, metadata), metadata


def gone(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """A row of `to_row` as `GONE` would leave it."""
    *content, _, crc, metadata = row
    return *content, 0, _ONES - crc, metadata


def is_sound(row: Row, kind: NumberedKind) -> bool:
    """Whether a row, and the kind that it names, are as they were written."""
    *content, listed, crc, metadata = row
    try:
        seal = _seal(content, kind, metadata)
    except (TypeError, struct.error):  # a value of another type than was written
        return False
    return bool(crc == seal if listed == 1 else listed == 0 and crc == _ONES - seal)


def path_of(key: str, path: str, base: str) -> str | None:
    """The path that a row names, relative to the destination."""
    if path == _OWN_PATH:
        return key[len(base) :]
    return {_NO_PATH: None, _ROOT: ""}.get(path, path)


def to_outcome(row: Row, numbered: NumberedKind, base: str) -> Outcome:
    """The outcome of an undamaged row, without what only the listing contains (checksum type, restore)."""
    kind, version_id = numbered.kind, row.version_id or None
    checksum = None
    if kind.algorithm is not None:
        checksum = Checksum(kind.algorithm, kind.checksum_type or "", row.checksum)
    return Outcome(
        ref=ObjectRef(
            row.key, row.size, row.etag, row.last_modified, kind.storage_class, version_id=version_id
        ),
        state=kind.state,
        path=path_of(row.key, row.path, base),
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
        content_type=kind.content_type,
        user_metadata=row.user_metadata,
    )


def run_lengths(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """Sizes as (size, count): usually all parts of an upload except the last have the same size."""
    return [(size, len(list(group))) for size, group in groupby(sizes)]


def _pack(sizes: Sequence[int]) -> str:
    return ",".join(f"{size}x{count}" for size, count in run_lengths(sizes))


def unpack(text: str) -> tuple[int, ...]:
    """The sizes of `part_sizes`."""
    runs = (run.split("x") for run in text.split(","))
    return tuple(chain.from_iterable(repeat(int(size), int(count)) for size, count in runs))


def _seal(content: Sequence[Any], kind: NumberedKind, metadata: str) -> int:
    texts, numbers = "\0".join(content[:_TEXTS]), _NUMBERS.pack(*content[_TEXTS:])
    if metadata != "":  # else sealed as in version 3
        texts += f"\0{metadata}"
    return zlib.crc32(texts.encode("utf-8", "surrogateescape"), zlib.crc32(numbers, kind.seal))


def key_bytes(key: str) -> str | bytes:
    """A key as a parameter of CAST(? AS TEXT): one whose bytes are no UTF-8 (lone surrogates) as
    those very bytes, any other as it is. Raises ValueError for a text that is the form of no bytes."""
    if key.isascii():
        return key
    raw = key.encode("utf-8", "surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    return key


def partial_row(partial: Partial) -> tuple[Any, ...]:
    key, etag = storable(partial.key), storable(partial.etag)
    return partial.temporary, key, etag, partial.size, partial.algorithm


def block_row(temporary: str, block: Block) -> tuple[Any, ...]:
    return temporary, block.start, block.size, block.crc.to_bytes(8, "big")


def to_block(row: tuple[Any, ...]) -> Block:
    start, size, crc = row
    return Block(start, size, int.from_bytes(crc, "big"))
