"""Which spelling of a name is used on a file system that folds names (treats `A` and `a` as equal, for
example), as macOS, Windows, exFAT, SMB and ext4 with casefold do.

The first spelling that a run meets keeps the name; every later one is encoded. `.s3haul/names.sqlite3` stores
this, because names that collide may be millions of keys apart in the listing, and because a later run must
find each file where an earlier one put it. If the file is lost, names are chosen as in a first run. Not used
on other file systems.
"""

import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Lock

from s3haul.core.keypath import IGNORABLE, apart, joined, words
from s3haul.errors import DestinationError
from s3haul.models import SafePath

FILE_NAME = "names.sqlite3"
# What Windows invents as a second, short name of a file: LONGFI~1.TXT.
_SHORT = re.compile(r"[^.]{1,6}~[0-9]{1,6}(\.[^.]{0,3})?", re.DOTALL)

_SCHEMA = "CREATE TABLE IF NOT EXISTS names (folded BLOB PRIMARY KEY, spelled BLOB NOT NULL) WITHOUT ROWID"
# One statement that inserts the name if it is free, and returns the spelling that has it. The UPDATE changes
# nothing: without it, SQLite would return no row on a conflict.
_CLAIM = (
    "INSERT INTO names VALUES (?, ?) ON CONFLICT (folded) DO UPDATE SET spelled = spelled RETURNING spelled"
)

Word = tuple[str, ...]


class Names:
    """The names that are in use on this file system. Safe to use from several threads at once."""

    def __init__(self, state: Path) -> None:
        """Open or create the file in the directory `state`. All methods raise `DestinationError`."""
        self._path = state / FILE_NAME
        self._lock = Lock()
        self._parent: tuple[list[Word], list[Word], bytes] = ([], [], b"")
        with self._translated(), ExitStack() as undo:
            self._database = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            undo.callback(self._database.close)
            self._database.execute("PRAGMA synchronous = FULL")
            self._database.execute(_SCHEMA)
            undo.pop_all()

    def path_on_disk(self, path: SafePath) -> SafePath:
        """`path`, with every component encoded whose name would collide with that of another component."""
        natural = words(path)
        with self._lock, self._translated():
            if not self._database.in_transaction:
                self._database.execute("BEGIN")
            chosen, folded = self._chosen_parent(natural[:-1])
            chosen = [*chosen, *(self._claim(word, folded)[0] for word in natural[-1:])]
        return joined(chosen, directory=path.directory)

    def commit(self) -> None:
        """When this returns, later runs use the names that were chosen so far."""
        with self._lock, self._translated():
            self._database.commit()

    def close(self) -> None:
        """Commit, and close the file."""
        with self._lock, self._translated():
            self._database.commit()
            self._database.close()

    def _chosen_parent(self, natural: list[Word]) -> tuple[list[Word], bytes]:
        """The directory as spelled on the disk, and folded. Cached,
        since most paths are in the directory of the previous path."""
        known, chosen, folded = self._parent
        if known != natural:
            chosen, folded = [], b""
            for word in natural:
                spelled, folded = self._claim(word, folded)
                chosen.append(spelled)
            self._parent = natural, chosen, folded
        return chosen, folded

    def _claim(self, word: Word, parent: bytes) -> tuple[Word, bytes]:
        """The spelling to use for `word` in the directory `parent`, and its folded form."""
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
                f"cannot record file names in {self._path}: {error}",
                hint="check the disk; if the file is damaged, remove it and run the same command again",
            ) from error


def _folded(parent: bytes, word: Word) -> bytes:
    """The key in the table: equal for paths that the file system may treat as the same file.
    No name contains NUL."""
    return b"\0".join([parent, *(fold(name).encode() for name in word)])


def fold(name: str) -> str:
    """The text that all names which a disk may take for `name` have in common: case, Unicode form, invisible
    characters, and dots or spaces at the end do not count.

    Coarser than any disk. A name that is confused with another only here gets an encoded name without
    need, which does no harm.
    """
    if name.isascii():
        return name.lower().rstrip(". ")
    text = IGNORABLE.sub("", unicodedata.normalize("NFKD", name))
    # Twice, since some letters have an upper case in common and no lower one (dotless i), or gain a mark.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.casefold().upper().casefold())
    return text.rstrip(". ")


def is_short_alias(name: str) -> bool:
    """Whether a disk may have given `name` to a file with another, longer name."""
    return _SHORT.fullmatch(name) is not None
