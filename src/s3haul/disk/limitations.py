"""What a disk that is no POSIX disk refuses, and a run goes on without: exFAT, NTFS, SMB, FUSE and the like."""

import errno

REFUSALS = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL})

MODES = "The file system keeps no permissions: others may read the state directory and the files under way."
TIMES = "The file system does not take the time of an object: files have the time of the run."
SYNC = "The file system cannot be written to the disk by itself: each commit writes out all disks."


class Limitations:
    """Collects what was refused, each sentence once. Safe to use from several threads at once."""

    def __init__(self) -> None:
        self._said: dict[str, None] = {}
        self._told = 0

    def tolerate(self, error: OSError, sentence: str) -> None:
        """Keep the sentence; raises the error unless it says that the file system cannot do this."""
        if error.errno not in REFUSALS:
            raise error
        self._said.setdefault(sentence)

    def untold(self) -> list[str]:
        """The sentences that an earlier call did not return."""
        new = list(self._said)[self._told :]
        self._told += len(new)
        return new
