"""The executor of one machine: worker processes that stay, each with a session and a bucket of its own."""

import contextlib
import os
import selectors
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from signal import Signals

from s3haul.cluster.executor import Ended
from s3haul.cluster.schedule import Attempt

GRACE = 5.0  # seconds for a worker to end once its input has


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
        """Whether it took the attempt; a worker that has ended meanwhile does not."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(b"%d %d\n" % attempt)
            self.process.stdin.flush()
        except BrokenPipeError:
            return False
        self.attempt = attempt
        return True


class LocalExecutor:
    """As `executor.Executor`. `local` is where the workers keep their journals."""

    starts_at_once = True

    def __init__(self, root: Path, local: Path, slots: int) -> None:
        self.slots = slots
        self._command = [sys.executable, "-m", "s3haul.cluster.worker", str(root), str(local), str(slots)]
        self._log = root / "log" / f"{os.uname().nodename}.log"
        self._workers: dict[int, _Worker] = {}  # by the descriptor of their answers
        self._selector = selectors.DefaultSelector()

    @property
    def pids(self) -> dict[Attempt, int]:
        """The processes at work."""
        return {each.attempt: each.process.pid for each in self._workers.values() if each.attempt is not None}

    def start(self, attempt: Attempt) -> None:
        for worker in [each for each in self._workers.values() if each.attempt is None]:
            if worker.give(attempt):
                return
            self._forget(worker)
        worker = self._spawn()
        if not worker.give(attempt):
            worker.attempt = attempt  # its end will be heard

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
                found.append(Ended(worker.attempt, finished=False, how=_how(worker.process)))
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
        """Its input ends, and with it the worker, if it lives."""
        assert worker.process.stdin is not None
        assert worker.process.stdout is not None
        self._selector.unregister(worker.out)
        del self._workers[worker.out]
        with contextlib.suppress(BrokenPipeError):
            worker.process.stdin.close()
        worker.process.stdout.close()


def _how(process: "subprocess.Popen[bytes]") -> str:
    try:
        code = process.wait(GRACE)
    except subprocess.TimeoutExpired:
        return "its worker closed its output"
    if code < 0:
        return f"its worker was killed by {Signals(-code).name}"
    return f"its worker ended with exit code {code}"
