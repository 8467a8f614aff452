"""One command in a process of its own: seconds, CPU and peak memory of its whole tree, and its output.

Bounded: a command that takes too long is ended with everything that it started.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

SAMPLED = 0.1
LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds, except `peak_memory` (bytes). `status` None: it took too long.

    `user` and `system` cover every descendant (getrusage(2)). `peak_memory` is that of the largest process as
    the kernel knows it or, where that is more, of all together as seen every `SAMPLED` seconds (Pss: what
    they share counts once).
    """

    status: int | None
    wall: float
    user: float
    system: float
    peak_memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """A command that has ended, and its output."""

    cost: Cost
    stdout: str
    stderr: str


def measure(
    command: Sequence[str], *, environment: Mapping[str, str], directory: Path, longest: float
) -> Finished:
    """Runs `command` in `directory`, which is empty and also takes the report and the output."""
    report = directory / "cost.json"
    launcher = [sys.executable, "-I", "-S", str(LAUNCHER), str(report), *command]
    with (directory / "stdout").open("wb") as out, (directory / "stderr").open("wb") as err:
        process = subprocess.Popen(
            launcher,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            env=dict(environment),
            cwd=directory,
            start_new_session=True,
        )
        try:
            together = _watch(process, time.monotonic() + longest)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    cost = Cost(status=None, wall=longest, user=0.0, system=0.0, peak_memory=0)
    if report.exists():
        cost = Cost(**json.loads(report.read_text()))
    return Finished(
        cost=replace(cost, peak_memory=max(cost.peak_memory, together)),
        stdout=(directory / "stdout").read_text(errors="replace"),
        stderr=(directory / "stderr").read_text(errors="replace"),
    )


def warm(directory: Path, size: int) -> None:
    """Gives the kernel `size` bytes of memory that was just in use: for the copy that follows.

    A virtual machine whose host takes free memory back pays for the first touch of each page,
    three times what a warm page costs (3.2 s instead of 0.7 s for 2 GiB here), and the client that
    comes first would pay it.
    """
    block = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=directory) as file:
        for _ in range(-(-size // len(block))):
            file.write(block)


def machine_cpu_seconds() -> float:
    """What all processes have used, kernel included (proc(5): user, nice, system, irq, softirq of stat)."""
    with Path("/proc/stat").open() as stat:
        fields = [int(field) for field in stat.readline().split()[1:]]
    return sum(fields[at] for at in (0, 1, 2, 5, 6)) / os.sysconf("SC_CLK_TCK")


def _watch(process: subprocess.Popen[bytes], deadline: float) -> int:
    """Until it ends or it is too late; returns the most memory that its descendants
    had together, in bytes."""
    most = 0
    while time.monotonic() < deadline:
        try:
            process.wait(SAMPLED)
        except subprocess.TimeoutExpired:
            most = max(most, sum(map(_memory, _descendants(process.pid))))
        else:
            break
    return most


def _descendants(pid: int) -> Iterator[int]:
    try:
        lists = [each.read_text() for each in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return  # it ended meanwhile
    for child in map(int, " ".join(lists).split()):
        yield child
        yield from _descendants(child)


def _memory(pid: int) -> int:
    try:
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0  # it ended meanwhile
    kilobytes = [line.split()[1] for line in rollup.splitlines() if line.startswith("Pss:")]
    return sum(map(int, kilobytes)) * 1024
