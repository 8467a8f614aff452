"""The table of kinds: values that many objects share (state, reason, encryption and so on), stored once.

A kind is written once and never changed; the row of an object contains its number. The same kind may have two numbers,
if it was dropped from memory because there were too many kinds.
"""

import contextlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from threading import Lock
from typing import Any, NamedTuple

from s3haul.models import Outcome, State, Verdict

KINDS_TABLE = """CREATE TABLE kinds (
    number INTEGER PRIMARY KEY, state TEXT NOT NULL, reason TEXT, verdict TEXT, algorithm TEXT,
    checksum_type TEXT, storage_class TEXT NOT NULL, sse TEXT NOT NULL, kms_key_id TEXT NOT NULL,
    content_type TEXT NOT NULL DEFAULT ''
)"""
ADD_CONTENT_TYPE = (
    "ALTER TABLE kinds ADD COLUMN content_type TEXT NOT NULL DEFAULT ''"  # to a table of version 3
)
PUT_KIND = "INSERT INTO kinds VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
KIND = "SELECT * FROM kinds WHERE number = ?"
REMEMBERED = 4096  # kinds in memory; usually there are a few, unless every object has its own KMS key
LATEST_KINDS = f"SELECT * FROM kinds ORDER BY number DESC LIMIT {REMEMBERED}"  # noqa: S608 - a constant


class Kind(NamedTuple):
    """The shared part of an `Outcome`."""

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
    """A kind as stored. `seal` is a CRC of the kind and of the journal's base, the start value of each row's CRC."""

    number: int
    kind: Kind
    seal: int


class KindNumbers:
    """The numbers of kinds, for one writer of a journal. Safe to use from several threads at once.

    `put` queues a row of the table, before any row that refers to it. `latest` are the rows of `LATEST_KINDS`.
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
