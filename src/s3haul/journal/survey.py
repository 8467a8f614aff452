"""The whole journal in figures: listed objects by how they ended, how they are stored and how large they are.

Everything is seen as of one moment, also during a run. SQLite counts; a million rows take a second or two and
no memory. The CRCs of the rows are not checked here: the manifest and `verify` do that.
"""

from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

from s3haul.core.keypath import MARK
from s3haul.journal.database import version_of
from s3haul.journal.errors import translated
from s3haul.journal.reader import Reader
from s3haul.journal.rows import path_of

# The first size beyond each class but the last: powers of four from 1 KiB on.
SIZE_CLASSES = (1, *(1 << shift for shift in range(10, 36, 2)))

_SIZE_CLASS = "CASE {} ELSE {} END".format(
    " ".join(f"WHEN size < {limit} THEN {number}" for number, limit in enumerate(SIZE_CLASSES)),
    len(SIZE_CLASSES),
)
_KIND = "state, reason, verdict, algorithm, checksum_type, storage_class, sse, kms_key_id"
_FIGURES = f"""count(*) AS objects, sum(size) AS bytes, sum(fetched) AS fetched, sum(attempts > 1) AS repeated,
    sum(ifnull(instr(path, '{MARK}') > 0, 0)) AS encoded"""
_GROUPS = f"""WITH counted AS (
        SELECT kind, {_SIZE_CLASS} AS size_class, {_FIGURES} FROM objects WHERE listed = 1 GROUP BY kind, size_class
    ) SELECT {_KIND}, size_class, objects, bytes, fetched, repeated, encoded FROM counted
    JOIN kinds ON kind = number"""  # noqa: S608 - constants
_OLD_GROUPS = f"""SELECT {_KIND}, {_SIZE_CLASS} AS size_class, {_FIGURES} FROM objects WHERE listed = 1
    GROUP BY {_KIND}, size_class"""  # noqa: S608 - same
_ROWS = (
    "SELECT key, path, size, attempts, detail FROM objects JOIN kinds ON kind = number WHERE listed = 1 AND"
)
_OLD_ROWS = "SELECT key, path, size, attempts, detail FROM objects WHERE listed = 1 AND"
_ENDED_SO = "state = ? AND reason IS ? LIMIT ?"
_ENCODED = f"instr(path, '{MARK}') > 0 LIMIT ?"


class Group(NamedTuple):
    """Listed objects that ended alike, are stored alike and are of one size class (an
    index, see `SIZE_CLASSES`).

    `fetched` are body bytes received for them, `repeated` of them took more than one attempt,
    `encoded` have a path that is not their key.
    """

    state: str
    reason: str | None
    verdict: str | None
    algorithm: str | None
    checksum_type: str | None
    storage_class: str
    sse: str
    kms_key_id: str
    size_class: int
    objects: int
    bytes: int
    fetched: int
    repeated: int
    encoded: int


class Listed(NamedTuple):
    """One object of the journal, for people to look at. `path` is relative to the destination."""

    key: str
    path: str | None
    size: int
    attempts: int
    detail: str


class Survey(Reader):
    """One journal at one moment. All methods raise `S3HaulError`."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        with ExitStack() as undo:
            undo.callback(self.close)
            with translated(path):
                self._connection.execute("BEGIN")
                self._version = version_of(self._connection)
            undo.pop_all()

    def groups(self) -> list[Group]:
        """All listed objects, in groups."""
        return [Group._make(row) for row in self._query(_GROUPS if self._version > 2 else _OLD_GROUPS)]

    def ended_so(self, state: str, reason: str | None, limit: int) -> list[Listed]:
        """The first objects that ended so, in key order."""
        return self._first(_ENDED_SO, (state, reason, limit))

    def encoded(self, limit: int) -> list[Listed]:
        """The first objects whose key cannot be a path as it is."""
        return self._first(_ENCODED, (limit,))

    def _first(self, condition: str, parameters: tuple[Any, ...]) -> list[Listed]:
        rows = self._query(f"{_ROWS if self._version > 2 else _OLD_ROWS} {condition}", parameters)
        base = self.source.base
        found = (
            Listed(key, path, size, attempts, detail or "") for key, path, size, attempts, detail in rows
        )
        if self._version <= 2:
            return list(found)
        return [each._replace(path=path_of(each.key, each.path or "", base)) for each in found]
