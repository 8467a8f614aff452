"""A process to kill: lands files, records them, and says on stdout what was promised.

    python journal_child.py DIRECTORY COUNT BATCH

`landed N` in DIRECTORY/log, synced to the disk, says before a commit that N files were there (`start N`
that N rows were, when the process began);
`committed N` on stdout says after a flush that N rows are safe; `error NAME` that the journal gave up.
"""

import os
import sys
from pathlib import Path

from s3haul.errors import S3HaulError
from s3haul.journal import Journal, SourceIdentity
from s3haul.models import ObjectRef, Outcome, State


def main(directory: Path, count: int, batch: int) -> None:
    log = os.open(directory / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    landed = 0

    def sync() -> None:
        os.write(log, f"landed {landed}\n".encode())
        os.fsync(log)

    source = SourceIdentity("bucket", "base/", "https://s3.example")
    journal = Journal.open(directory / "journal.sqlite3", source, sync=sync, batch=batch, interval=0.001)
    landed = len(journal.committed.known("", "9"))
    os.write(log, f"start {landed}\n".encode())
    number = journal.begin_run()
    for n in range(landed, landed + count):
        name = f"{n:08d}"
        (directory / "files" / name).write_text(name)
        landed += 1
        ref = ObjectRef(name, 8, f'"{n}"', 1.0)
        journal.record(Outcome(ref, State.DONE, name))
        if landed % batch == 0:
            journal.flush()
            sys.stdout.write(f"committed {landed}\n")
            sys.stdout.flush()
    journal.end_run(number, complete=True)
    journal.close()


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
    except S3HaulError as error:
        sys.stdout.write(f"error {type(error).__name__}\n")
