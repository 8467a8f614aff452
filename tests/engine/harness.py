"""One run with the real engine, journal and disk; only the store is replaced, by one in memory."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract.memory import MemoryStore
from s3haul.api.download import identity_of
from s3haul.core.stats import Stats
from s3haul.disk import Destination
from s3haul.engine.run import Job, run_job
from s3haul.events import Event
from s3haul.journal import manifest_lines
from s3haul.models import State
from s3haul.options import SourceOptions, TransferOptions


@dataclass
class Run:
    """The results of one run."""

    stats: Stats
    events: list[Event] = field(default_factory=list)
    error: BaseException | None = None


async def nap(_seconds: float) -> None:
    """Tests do not wait for back-off."""


class VirtualClock:
    """A clock that moves only when all tasks sleep. Tasks wake in the order of their times."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._until: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        until = self.now + seconds
        self._until.append(until)
        try:
            while self.now < until:
                await asyncio.sleep(0)
                if min(self._until) == until:
                    self.now = max(self.now, until)
        finally:
            self._until.remove(until)


@contextlib.contextmanager
def threads_take_no_time() -> Iterator[None]:
    """Work for threads is done at once, on the loop: a virtual clock would run on
    while a real thread works."""
    loop = asyncio.get_running_loop()

    def do_now(_executor, work, *arguments) -> asyncio.Future:
        future = loop.create_future()
        try:
            future.set_result(work(*arguments))
        except Exception as error:  # noqa: BLE001 - it belongs to whoever waits
            future.set_exception(error)
        return future

    loop.run_in_executor = do_now
    try:
        yield
    finally:
        del loop.run_in_executor


async def run_once(
    store: MemoryStore,
    root: Path,
    *,
    prefix: str = "",
    recursive: bool = True,
    file_name: str | None = None,
    credentials=None,
    clock: VirtualClock | None = None,
    events: list[Event] | None = None,
    **options: object,
) -> Run:
    source = SourceOptions(bucket="bucket", prefix=prefix, recursive=recursive)
    transfer = replace(TransferOptions(concurrency=8, max_attempts=4), **options)
    done = Run(Stats(), [] if events is None else events)

    def emit(event: Event) -> None:
        done.stats.observe(event)
        done.events.append(event)

    with Destination.open(root) as destination:
        destination.lock()
        job = Job(
            store=store,
            credentials=credentials,
            destination=destination,
            source=source,
            identity=identity_of(source, "memory"),
            options=transfer,
            file_name=file_name,
            **({"sleep": clock.sleep, "clock": clock} if clock else {"sleep": nap}),
        )
        with threads_take_no_time() if clock else contextlib.nullcontext():
            await run_job(job, done.stats, emit)
    return done


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, without our state directory."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.is_symlink() and ".s3haul" not in path.relative_to(root).parts
    }


def manifest(root: Path) -> dict[str, dict]:
    lines = (json.loads(line) for line in manifest_lines(root / ".s3haul" / "journal.sqlite3"))
    return {line["key"]: line for line in lines}


def leftovers(root: Path) -> list[Path]:
    return list((root / ".s3haul" / "tmp").iterdir())


def states(root: Path) -> dict[str, tuple[str, str | None]]:
    return {key: (line["state"], line["reason"]) for key, line in manifest(root).items()}


DONE = (State.DONE.value, None)
__all__ = ["DONE", "Run", "VirtualClock", "leftovers", "manifest", "run_once", "states", "tree"]
