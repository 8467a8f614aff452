"""Operations that exFAT, NTFS, SMB, FUSE and other non-POSIX file systems refuse, and that a run can do without."""

import errno

REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

MODES = "The file system does not store permissions: other users may read the state directory and unfinished files."
TIMES = "The file system does not accept the time of an object: files get the time of the run."
SYNC = (
    "The file system cannot be synced alone: each commit syncs all mounted file systems, which may be slow."
)


class Limitations:
    """Collects what was refused, each sentence once. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._sentences: dict[str, None] = {}  # a dict as an ordered set
        self._returned = 0

    def tolerate(self, error: OSError, sentence: str) -> None:
        """Remember the sentence. Raises the error if it does not mean that the file system cannot do this."""
        if error.errno not in REFUSALS:
            raise error
        self._sentences.setdefault(sentence)

    def untold(self) -> list[str]:
        """The sentences that no earlier call returned."""
        new = list(self._sentences)[self._returned :]
        self._returned += len(new)
        return new
