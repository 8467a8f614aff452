"""Executors run the attempts of a driver: the interface,
and the executor for one machine. The results are in RUN.

The local executor has worker processes that run many attempts,
each with a session of its own. `ray` is the other one.
"""

import contextlib
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import Signals
from typing import NamedTuple, Protocol

from s3haul.cluster.plan import Attempt

NO_NODES: frozenset[str] = frozenset()


class Ended(NamedTuple):
    """An attempt has ended. `finished` if it has succeeded, so that the shard has its marker; else `how` says
    what is known ("killed by signal 9"), with the id of the error if the attempt could not report it in RUN.
    `node` is the name that the executor has for its node, if it has several."""

    attempt: Attempt
    finished: bool
    how: str = ""
    node: str = ""
    error_id: str = ""


class Executor(Protocol):
    """Starts attempts in other processes. Used by one thread."""

    def slots(self, avoided: frozenset[str] = NO_NODES) -> int:
        """How many attempts it can run at the same time without these nodes,
        or with them if there are no others. May change."""
        ...

    @property
    def starts_at_once(self) -> bool:
        """Whether an attempt runs as soon as it is started, and does not wait in a queue."""
        ...

    def start(self, attempt: Attempt, avoided: frozenset[str] = NO_NODES) -> None:
        """Start it in one of the processes, and not on these nodes while there are others."""
        ...

    def kill(self, attempt: Attempt) -> None:
        """Kill it; `ended` will not return it. If it cannot be reached, it may run on for a while."""
        ...

    def ended(self, timeout: float) -> list[Ended]:
        """The attempts that have ended since the last call; waits so many seconds for the first."""
        ...

    def close(self) -> None:
        """Kill everything."""
        ...


GRACE = 5.0  # seconds for a worker to end after its input has ended


@dataclass(slots=True)
class _Worker:
    process: "subprocess.Popen[bytes]"
    attempt: Attempt | None = None
    said: bytes = b""

    @property
    def out(self) -> int:
        assert self.process.stdout is not None
        return self.process.stdout.fileno()

    def give(self, attempt: Attempt) -> bool:
        """Send it the attempt. False if the worker has ended meanwhile."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b"%d %d\n" % attempt)
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        self.attempt = attempt
        return True


class LocalExecutor:
    """An `Executor`. `local` is the directory where the workers keep their journals,
    `broker` the address of theirs."""

    starts_at_once = True

    def __init__(self, root: Path, local: Path, slots: int, broker: str = "") -> None:
        self._slots = slots
        arguments = (str(root), str(local), str(slots), broker)
        self._command = [sys.executable, "-m", "s3haul.cluster.worker", *arguments]
        self._log = root / "log" / f"{os.uname().nodename}.log"
        self._workers: dict[int, _Worker] = {}  # by the file descriptor of their output
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> dict[Attempt, int]:
        """The processes that run attempts."""
        return {each.attempt: each.process.pid for each in self._workers.values() if each.attempt is not None}

    def slots(self, avoided: frozenset[str] = NO_NODES) -> int:  # noqa: ARG002 - there is one node
        return self._slots

    def start(self, attempt: Attempt, avoided: frozenset[str] = NO_NODES) -> None:  # noqa: ARG002 - same
        for worker in [each for each in self._workers.values() if each.attempt is None]:
            if worker.give(attempt):
                return
            self._forget(worker)
        worker = self._spawn()
        if not worker.give(attempt):
            worker.attempt = attempt  # `ended` will report it

    def kill(self, attempt: Attempt) -> None:
        for worker in [each for each in self._workers.values() if each.attempt == attempt]:
            worker.process.kill()
            self._forget(worker)

    def ended(self, timeout: float) -> list[Ended]:
        found: list[Ended] = []
        for key, _ in self._selector.select(timeout):
            worker = self._workers[key.fd]
            if data := os.read(key.fd, 4096):
                found += self._answers(worker, data)
                continue
            self._forget(worker)
            if worker.attempt is not None:
                found.append(Ended(worker.attempt, finished=False, how=_how_it_ended(worker.process)))
        return found

    def close(self) -> None:
        workers = list(self._workers.values())
        for worker in workers:
            self._forget(worker)
        for worker in workers:
            with contextlib.suppress(subprocess.TimeoutExpired):
                worker.process.wait(GRACE)
                continue
            worker.process.kill()
        self._selector.close()

    def _spawn(self) -> _Worker:
        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - our own module
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the driver
            )
        worker = _Worker(process)
        self._workers[worker.out] = worker
        self._selector.register(worker.out, selectors.EVENT_READ)
        return worker

    def _answers(self, worker: _Worker, data: bytes) -> list[Ended]:
        *lines, worker.said = (worker.said + data).split(b"\n")
        found = [Ended(Attempt(*map(int, line.split())), finished=True) for line in lines]
        if found:
            worker.attempt = None
        return found

    def _forget(self, worker: _Worker) -> None:
        """Close its input: then the worker ends, if it still runs."""
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        self._selector.unregister(worker.out)
        del self._workers[worker.out]
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()
        worker.process.stdout.close()


def _how_it_ended(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return "its worker closed its output"
    if code < 0:
        return f"its worker was killed by {Signals(-code).name}"
    return f"its worker ended with exit code {code}"
