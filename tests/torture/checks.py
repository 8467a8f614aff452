"""What must hold after every kill and power loss: whole files, true rows, and a next run that finishes."""

import os
import subprocess
import sys
from pathlib import Path

from s3haul.errors import JournalError
from s3haul.journal import Reader
from s3haul.models import State
from torture.hauler import objects

TESTS = Path(__file__).parent.parent
ENVIRONMENT = {"PYTHONPATH": str(TESTS), "PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}


def command(root: Path, count: int, *more: str) -> list[str]:
    return [sys.executable, "-m", "torture.hauler", str(root), str(count), *more]


def finish(root: Path, count: int) -> None:
    """The same command again makes everything right."""
    ran = subprocess.run(command(root, count), env=ENVIRONMENT, check=False, timeout=120, capture_output=True)
    assert ran.returncode == 0, ran.stderr.decode()
    wanted = {key: found.body for key, found in objects(count).items()}
    assert tree(root) == wanted
    assert list((root / ".s3haul" / "tmp").iterdir()) == []
    assert rows(root, count) == wanted.keys()


def rows(root: Path, count: int) -> set[str]:
    """The paths that the journal calls done: all of it must be here, whole."""
    journal = root / ".s3haul" / "journal.sqlite3"
    if not journal.exists() or not journal.stat().st_size:
        return set()
    try:
        opened = Reader(journal)
    except JournalError as error:
        assert "is still empty" in error.message  # noqa: PT017 - of a run that was killed as it began
        return set()
    with opened as reader:
        done = {one.path for one in reader.outcomes() if one.state is State.DONE}
    here, wanted = tree(root), objects(count)
    for path in done:
        assert here.get(path) == wanted[path].body, f"{path} is done, and is not here or not whole"
    return done


def whole(root: Path, count: int) -> None:
    """After a kill, nothing has a final name but whole objects."""
    wanted = objects(count)
    for path, body in tree(root).items():
        assert body == wanted[path].body, f"{path} holds {len(body)} bytes"


def tree(root: Path) -> dict[str, bytes]:
    """Files below `root`, our own state apart; nothing where there is no root yet."""
    paths = (path for path in root.rglob("*") if path.is_file())
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in paths
        if path.relative_to(root).parts[0] not in {".s3haul", "lost+found"}
    }
