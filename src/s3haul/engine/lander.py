"""Where small files become files: in writer threads, many a hop, or at once.

A hop to a thread costs more than a small file does. What the workers hand over in one round of the loop
goes to the threads together; a thread takes its share, lands it file by file, and answers the loop once.
On a disk that lands a file faster than a thread wakes up, one thread takes everything; on a slow one all
share the work.

An engine process, whose loop serves nobody but its own transfers, lands them on the loop as long as the
disk is fast, and uses the threads while it is not. Together all the same: one after the other, with all
that a transfer does in between, files cost two or three times as much.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from s3haul.disk import Destination
from s3haul.models import SafePath
from s3haul.store import Piece
from s3haul.threads import settle

LARGEST_BATCH = 64
SLOW = 2e-4  # seconds a file; beyond, another thread is worth its wake-up
SMOOTHING = 4  # batches
OUTLIER = 2 * SLOW  # one batch does not tell a slow disk from a process that had to wait for its turn


class _File(NamedTuple):
    path: SafePath
    body: Sequence[Piece]
    mtime: float
    landed: "asyncio.Future[None]"


class Lander:
    """Made on the event loop that it answers; ended by `close`, which blocks until all threads are idle.

    `direct` allows the loop to wait for a fast disk.
    """

    def __init__(self, destination: Destination, threads: int, *, direct: bool = False) -> None:
        self._destination = destination
        self._direct = direct
        self._loop = asyncio.get_running_loop()
        self._handed: list[_File] = []  # in this round of the loop
        self._files: deque[_File] = deque()
        self._slow = False
        self._average = 0.0  # seconds a file, of late
        self._ready = threading.Condition()
        self._idle = 0
        self._closed = False
        self._threads = [
            threading.Thread(target=self._run, name=f"s3haul-land-{number}", daemon=True)
            for number in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    async def land(self, path: SafePath, body: Sequence[Piece], mtime: float) -> None:
        """The file is at `path` when this returns. Raises as `Destination.land`.

        A caller that is cancelled does not stop its file: that is whole and verified, and is found as
        such by the next run.
        """
        landed = self._loop.create_future()
        if not self._handed:
            self._loop.call_soon(self._hand_over)
        self._handed.append(_File(path, body, mtime, landed))
        await landed

    def close(self) -> None:
        """Land what was handed over, then end the threads."""
        self._hand_over()
        with self._ready:
            self._closed = True
            self._ready.notify_all()
        for thread in self._threads:
            thread.join()

    def _hand_over(self) -> None:
        handed, self._handed = self._handed, []
        if not handed:
            return
        if self._direct and not self._slow:
            _answer(self._land_all(handed))
            return
        with self._ready:
            self._files += handed
            self._ready.notify(len(handed) if self._slow else 1)

    def _run(self) -> None:
        while batch := self._take():
            self._loop.call_soon_threadsafe(_answer, self._land_all(batch))

    def _take(self) -> list[_File]:
        """This thread's share of what lies ready; empty when there will be no more."""
        with self._ready:
            while not self._files and not self._closed:
                self._idle += 1
                self._ready.wait()
                self._idle -= 1
            sharers = self._idle + 1 if self._slow else 1
            share = min(LARGEST_BATCH, -(-len(self._files) // sharers))
            return [self._files.popleft() for _ in range(share)]

    def _land_all(self, batch: Sequence[_File]) -> "list[_Answer]":
        began = time.monotonic()
        answers = [(file.landed, self._land(file)) for file in batch]
        a_file = min((time.monotonic() - began) / len(batch), OUTLIER)
        self._average += (a_file - self._average) / SMOOTHING
        self._slow = self._average > SLOW
        return answers

    def _land(self, file: _File) -> BaseException | None:
        try:
            self._destination.land(file.path, file.body, file.mtime)
        except BaseException as error:  # noqa: BLE001 - handed to the task that waits for this file
            return error
        return None


_Answer = tuple["asyncio.Future[None]", BaseException | None]


def _answer(answers: list[_Answer]) -> None:
    for landed, error in answers:
        settle(landed, error)
