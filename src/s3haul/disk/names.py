"""Which spelling of a name stands on a disk that folds names: the first one that a run met, for ever.

Kept in `.s3haul/names.sqlite3`, since the keys that a disk confuses may be millions of keys apart in the
listing, and since a later run must find each file where an earlier one put it. Not needed on other disks.
Without the file, keys are placed as on the first run.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from s3haul.core.folding import fold, is_short_alias
from s3haul.core.keypath import apart, joined, words
from s3haul.errors import DestinationError
from s3haul.models import SafePath

FILE_NAME = "names.sqlite3"

_SCHEMA = "CREATE TABLE IF NOT EXISTS names (folded BLOB PRIMARY KEY, spelled BLOB NOT NULL) WITHOUT ROWID"
# One statement that takes the name if it is free, and tells who has it.
_CLAIM = (
    "INSERT INTO names VALUES (?, ?) ON CONFLICT (folded) DO UPDATE SET spelled = spelled RETURNING spelled"
)

Word = tuple[str, ...]


class Names:
    """The names that are taken on this disk. Safe to use from several threads at once."""

    def __init__(self, state: Path) -> None:
        """Opens or makes the file in the directory `state`. Raises `DestinationError`, as all the rest."""
        self._path = state / FILE_NAME
        self._lock = Lock()
        self._parent: tuple[list[Word], list[Word], bytes] = ([], [], b"")
        with self._translated():
            self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_SCHEMA)

    def settle(self, path: SafePath) -> SafePath:
        """`path`, with every component spelled apart whose name on this disk is another component's."""
        asked = words(path)
        with self._lock, self._translated():
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
            settled, folded = self._settled_parent(asked[:-1])
            settled = [*settled, *(self._claim(word, folded)[0] for word in asked[-1:])]
        return joined(settled, directory=path.directory)

    def commit(self) -> None:
        """What was settled so far holds for later runs when this returns."""
        with self._lock, self._translated():
            self._database.commit()

    def close(self) -> None:
        """Commit, and close the file."""
        with self._lock, self._translated():
            self._database.commit()
            self._database.close()

    def _settled_parent(self, asked: list[Word]) -> tuple[list[Word], bytes]:
        """The directory, settled and folded; mostly that of the path before."""
        known, settled, folded = self._parent
        if known != asked:
            settled, folded = [], b""
            for word in asked:
                spelled, folded = self._claim(word, folded)
                settled.append(spelled)
            self._parent = asked, settled, folded
        return settled, folded

    def _claim(self, word: Word, parent: bytes) -> tuple[Word, bytes]:
        """The spelling of `word` in the directory `parent`, and what that folds to."""
        if len(word) == 1 and is_short_alias(word[0]):
            word = apart(word)
        folded, spelled = _folded(parent, word), "/".join(word).encode()
        taken = self._database.execute(_CLAIM, (folded, spelled)).fetchone()[0]
        if taken == spelled:
            return word, folded
        word = apart(word)
        return word, _folded(parent, word)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise DestinationError(
                f"cannot keep the names of the files in {self._path}: {error}",
                hint="check the disk; if the file is damaged, remove it and run the same command again",
            ) from error


def _folded(parent: bytes, word: Word) -> bytes:
    """What no two different files of the disk have in common; NUL is in no name."""
    return b"\0".join([parent, *(fold(name).encode() for name in word)])
