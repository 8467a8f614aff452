"""One command in a process of its own: seconds, CPU of its whole tree, peak memory, what it said.

Bounded: a command that takes too long is ended with everything that it started.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LAUNCHER = Path(__file__).with_name("launch.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Seconds, except `peak_memory` (bytes of its largest process). `status` None: it took too long.

    `user` and `system` cover every descendant that was waited for (wait4(2)).
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
            process.wait(longest)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
    nothing = Cost(status=None, wall=longest, user=0.0, system=0.0, peak_memory=0)
    return Finished(
        cost=Cost(**json.loads(report.read_text())) if report.exists() else nothing,
        stdout=(directory / "stdout").read_text(errors="replace"),
        stderr=(directory / "stderr").read_text(errors="replace"),
    )
