"""One run of a benchmark: an ordinary run over the sample, with its time,
its processor time and its requests.

Its destination is a directory on the disk, one in memory, or one that drops every file. Each is a new
directory with a journal of its own, and is removed afterwards.
"""

import asyncio
import itertools
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

from s3haul.aws.session import OpenStore
from s3haul.bench.plan import DestinationKind, Sample, Setting
from s3haul.bench.result import Run
from s3haul.core.retry import is_from_kms, is_throttling
from s3haul.core.stats import Stats
from s3haul.disk import Destination, free_space_for
from s3haul.disk.staging import Buffer, Temporary
from s3haul.engine.run import Job, run_job
from s3haul.errors import DestinationError, StoreError
from s3haul.journal import SourceIdentity
from s3haul.models import ListPage, ObjectMeta, ObjectRef, SafePath
from s3haul.options import SourceOptions
from s3haul.store.protocol import Consume, GetRequest, ObjectStore, RequestTiming, WrappedStore

PAGE = 1000
MARGIN = 32 << 20  # bytes, for the journal and other files of a run in memory
MEMORY = Path("/dev/shm")  # noqa: S108 - a directory of our own is made in it


class Stopwatch:
    """Collects the timings of requests; `observe` is called in the threads of the transport."""

    def __init__(self) -> None:
        self._seen: list[RequestTiming] = []

    def observe(self, timing: RequestTiming) -> None:
        self._seen.append(timing)

    def taken(self) -> list[RequestTiming]:
        """The timings since the last call."""
        seen, self._seen = self._seen, []
        return seen


async def measure(
    opened: OpenStore,
    source: SourceOptions,
    sample: Sample,
    setting: Setting,
    stopwatch: Stopwatch,
    *,
    directory: Path,
    seconds: float,
) -> Run:
    """Copy the sample once, for `seconds` at most. Raises `S3HaulError` as a run does."""
    store, stats, cut_short = SampleStore(opened.store, sample.refs), Stats(), False
    stopwatch.taken()
    with opened_destination(setting.destination, directory) as destination:
        job = Job(
            store=store,
            credentials=opened.credentials,
            destination=destination,
            source=source,
            identity=SourceIdentity(source.bucket, source.base, opened.endpoint),
            options=setting.applied(opened.transfer),
            handle_signals=False,
        )
        processor, machine, began = _processor_seconds(), machine_ticks(), time.monotonic()
        try:
            async with asyncio.timeout(seconds):
                await run_job(job, stats, stats.observe)
        except TimeoutError:
            cut_short = True
        took, used = time.monotonic() - began, _processor_seconds() - processor
        busy = busy_share(machine, machine_ticks())
    timings = stopwatch.taken()
    # `SampleStore` does not see small objects; the status does not distinguish KMS
    # throttling from another 400.
    statuses = Counter(timing.status for timing in timings)
    return Run(
        seconds=took,
        cpu_seconds=used,
        machine_busy=busy,
        objects=stats.done,
        bytes=stats.received,
        failed=stats.failed_count + stats.skipped_count,
        retries=sum(stats.retries.values()),
        throttled_s3=max(store.throttles["s3"], statuses[503] + statuses[429]),
        throttled_kms=max(store.throttles["kms"], statuses[400] if store.throttles["kms"] else 0),
        cut_short=cut_short,
        timings=timings,
    )


class SampleStore(WrappedStore):
    """A store that lists the sample and nothing else. `throttles` counts 503 and similar,
    by service: "kms" or "s3"."""

    def __init__(self, store: ObjectStore, refs: Sequence[ObjectRef]) -> None:
        super().__init__(store)
        self._refs = refs
        self.throttles: Counter[str] = Counter()

    async def list_page(self, prefix: str, *, token: str | None = None, start_after: str = "") -> ListPage:  # noqa: ARG002 - the protocol's
        first = int(token or 0)
        entries = tuple(self._refs[first : first + PAGE])
        end = first + len(entries)
        more = end < len(self._refs)
        return ListPage(entries, truncated=more, token=str(end) if more else None, key_count=len(entries))

    async def load(self, request: GetRequest, consume: Consume) -> ObjectMeta:
        try:
            return await super().load(request, consume)
        except StoreError as error:
            if is_throttling(error.fault):
                self.throttles["kms" if is_from_kms(error.fault) else "s3"] += 1
            raise


def _processor_seconds() -> float:
    """Of this process, in all its threads."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


class Ticks(NamedTuple):
    """Time of all processors since the machine was started, in units of the system."""

    idle: int
    total: int


def machine_ticks(stat: Path = Path("/proc/stat")) -> Ticks | None:
    """As Linux counts them, None elsewhere. Steal time (of other virtual machines) counts as busy."""
    try:
        words = stat.read_text("ascii").partition("\n")[0].split()
    except OSError:
        return None
    counted = [int(word) for word in words[1:9]]  # user, nice, system, idle, iowait, irq, softirq, steal
    return Ticks(sum(counted[3:5]), sum(counted))


def busy_share(before: Ticks | None, after: Ticks | None) -> float | None:
    """The busy share of the time between two readings; None if there is no time between them."""
    if before is None or after is None or after.total <= before.total:
        return None
    return 1.0 - (after.idle - before.idle) / (after.total - before.total)


def available(kind: DestinationKind) -> bool:
    """Whether this system has it: only Linux has files in memory."""
    return kind is DestinationKind.DISK or (sys.platform == "linux" and MEMORY.is_dir())


def has_room(kind: DestinationKind, size: int) -> bool:
    """Whether so many bytes fit. Not checked for the disk: the run does that itself."""
    return kind is not DestinationKind.MEMORY or size + MARGIN < free_space_for(MEMORY).bytes


@contextmanager
def opened_destination(kind: DestinationKind, directory: Path) -> Iterator[Destination]:
    """A new destination of this kind; a directory for `disk` is below `directory`.
    Raises `DestinationError`."""
    parent = directory if kind is DestinationKind.DISK else MEMORY
    try:
        made = tempfile.TemporaryDirectory(prefix=f".s3haul-bench-{os.getpid()}-", dir=parent)
    except OSError as error:
        raise DestinationError(
            f"Cannot make a directory in {parent}: {error.strerror}.",
            hint="name another one by --dir, or leave a destination out by --destinations",
        ) from error
    destination_class = NullDestination if kind is DestinationKind.NULL else Destination
    with made as name, closing(destination_class.open(Path(name))) as destination:
        destination.lock()
        yield destination


class NullDestination(Destination):
    """Drops verified files. Large ones are in memory until then,
    because some hashes are computed from the file."""

    _numbers = itertools.count()

    def write_file(self, path: SafePath, body: Sequence[Buffer] | Buffer, mtime: float) -> None:
        """Nothing is written."""

    def create_temporary(self, size: int) -> Temporary:
        """A file in memory, without a name; it is gone when it is closed."""
        return Temporary(os.memfd_create("s3haul-bench"), f"null-{next(self._numbers)}", size)

    def publish(self, temporary: Temporary, path: SafePath, mtime: float) -> None:  # noqa: ARG002 - the base's
        """Close the file, which removes it."""
        fd, temporary.fd, temporary.name = temporary.fd, -1, ""
        os.close(fd)

    def make_directory(self, path: SafePath) -> None:
        """No directory is needed."""
