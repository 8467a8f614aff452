"""What must hold after every simulated run. Raises `AssertionError` that begins with the promise's number."""

import asyncio
import gc
import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from s3haul.core.keypath import STATE_DIRECTORY, key_of, safe_path
from s3haul.core.stats import Stats
from s3haul.journal import Reader, manifest_lines
from s3haul.models import SafePath

if TYPE_CHECKING:
    from simulator.runs import Run
    from simulator.scenario import Scenario

TASKS_EACH = 6  # of the event loop, for a request that is under way
TASKS = 40  # besides
IN_TIME = 5.0  # seconds from a signal to the end


def after_trouble(run: "Run", scenario: "Scenario") -> None:
    """P1, P2, P3, P6 and P7, after a run that met trouble, however it ended."""
    rows = _rows(run.root)
    whole_files(run, rows)
    if run.error is None:
        every_key_once(run, rows)
        exit_codes(run.stats, rows)
    most = scenario.options.concurrency
    # The listing may ask for a page beside them, and batches see a place that is taken a moment later.
    assert run.service.most_running <= most + 2, f"P6: {run.service.most_running} requests, {most} allowed"
    assert run.most_tasks <= TASKS_EACH * most + TASKS, f"P6: {run.most_tasks} tasks for {most} requests"
    if run.interrupted_at is not None:
        took = run.ended_at - run.interrupted_at
        assert took <= IN_TIME, f"P7: the run ended {took:.1f} s after the signal"


def after_resume(run: "Run", known: dict[str, str]) -> None:
    """P4: under a clear sky everything lands, and what the journal knew is not fetched again."""
    assert run.error is None, f"P4: the same command again ended with {run.error!r}"
    rows = _rows(run.root)
    every_key_once(run, rows)
    exit_codes(run.stats, rows)
    assert run.stats.exit_code == 0, f"P4: exit {run.stats.exit_code}: {run.stats.failed} {run.stats.skipped}"
    whole_files(run, rows)
    tree = _tree(run.root)
    for key, found in run.service.objects.items():
        path = rows[key]["path"]
        if not (key.endswith("/") and not found.body):
            assert tree.get(path) == found.body, f"P1: {path} is not {key!r}"
    again = {key for key in run.service.fetched if known.get(key) == run.service.objects[key].etag}
    assert not again, f"P4: {sorted(again)} were done and are fetched again"
    assert not _temporary(run.root), f"P4: {_temporary(run.root)} are left behind"


def committed(root: Path) -> dict[str, str]:
    """The ETags of what the journal calls done and the disk holds."""
    tree = _tree(root)
    rows = _rows(root)
    for key, row in rows.items():
        if row["state"] == "done" and not key.endswith("/"):
            size = len(tree[row["path"]]) if row["path"] in tree else None
            assert size == row["size"], f"P4: {key!r} is done, and {row['path']!r} holds {size} bytes"
    return {key: row["etag"] for key, row in rows.items() if row["state"] == "done"}


def whole_files(run: "Run", rows: dict[str, dict]) -> None:
    """P1: what has a final name holds the bytes of a version of its key."""
    versions = run.service.versions
    tree = _tree(run.root)
    for path, body in tree.items():
        if path in run.spoiled and not body:
            continue  # until the run that completes comes to it
        key = key_of(SafePath(tuple(path.split("/"))))
        assert body in versions.get(key, {}).values(), (
            f"P1: {path!r} ({len(body)} bytes) is no version of {key!r}"
        )
    for key, row in rows.items():
        if row["state"] == "done" and not safe_path(key, directory=_is_marker(key, row)).directory:
            body = tree.get(row["path"])
            assert body is not None, f"P1: {key!r} is done and {row['path']!r} is not here"
            stale = body != versions[key][row["etag"]]
            # A newer version may have its name before the journal hears of it; then the row is gone.
            assert not stale, f"P1: {row['path']!r} is not the version that its row names"


def every_key_once(run: "Run", rows: dict[str, dict]) -> None:
    """P2: what was listed has ended, each key in one state, and the books say the same."""
    missing = run.service.listed - rows.keys()
    assert not missing, f"P2: {sorted(missing)} were listed and have no row"
    assert run.stats.balanced, "P2: the books do not balance"
    states = Counter(rows[key]["state"] for key in run.service.listed)
    stats = run.stats
    counted = {
        "done": stats.done + stats.already,
        "skipped": stats.skipped_count,
        "failed": stats.failed_count,
    }
    assert dict(states) == {state: n for state, n in counted.items() if n}, (
        f"P2: rows {states}, books {counted}"
    )


def exit_codes(stats: Stats, rows: dict[str, dict]) -> None:
    """P3: 0 only if everything is done."""
    everything = all(row["state"] == "done" for row in rows.values())
    assert (stats.exit_code == 0) == everything, f"P3: exit {stats.exit_code}, everything done: {everything}"


def nothing_left_open(loop: asyncio.AbstractEventLoop, run: "Run") -> None:
    """P6: no task, body or file stays behind, and no temporary file that the journal does not know."""
    left = [task for task in asyncio.all_tasks(loop) if not task.done()]
    assert not left, f"P6: tasks are left: {left}"
    assert run.service.open_bodies == 0, f"P6: {run.service.open_bodies} bodies are open"
    known = _partials(run.root)
    assert set(_temporary(run.root)) <= known, f"P6: {_temporary(run.root)} are left, {known} are known"
    temporary = str(run.root / STATE_DIRECTORY / "tmp")
    opened = [name for name in _open_files() if name.startswith(temporary + "/")]
    assert not opened, f"P6: {opened} are open"


def outside(home: Path) -> None:
    """P5: nothing else was made."""
    found = [path.name for path in home.iterdir() if not path.name.startswith("run")]
    assert not found, f"P5: {found} were made outside the destination"


def _is_marker(key: str, row: dict) -> bool:
    return key.endswith("/") and not row["size"]


def _rows(root: Path) -> dict[str, dict]:
    journal = root / STATE_DIRECTORY / "journal.sqlite3"
    if not journal.exists():
        return {}
    lines = [json.loads(line) for line in manifest_lines(journal)]
    rows = {line["key"]: line for line in lines}
    assert len(rows) == len(lines), "P2: a key has two rows"
    return rows


def _tree(root: Path) -> dict[str, bytes]:
    tree = {}
    for directory, names, files in os.walk(root):
        if directory == str(root) and STATE_DIRECTORY in names:
            names.remove(STATE_DIRECTORY)
        for name in files:
            path = Path(directory, name)
            tree[str(path.relative_to(root))] = path.read_bytes()
    return tree


def _temporary(root: Path) -> list[str]:
    return sorted(path.name for path in (root / STATE_DIRECTORY / "tmp").iterdir())


def _partials(root: Path) -> set[str]:
    journal = root / STATE_DIRECTORY / "journal.sqlite3"
    if not journal.exists():
        return set()
    with Reader(journal) as reader:
        return {partial.temporary for partial in reader.partials()}


def _open_files() -> list[str]:
    gc.collect(0)
    links = []
    for link in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(link.readlink()))
        except OSError:
            continue
    return links
