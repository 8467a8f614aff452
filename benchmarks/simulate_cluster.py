"""A run of 1,000 workers and a billion objects, simulated with the decisions of the real driver.

    python benchmarks/simulate_cluster.py [--workers 1000] [--objects 1000000000] [--spot-loss 0.05]

Real: where the listing is cut, the files of the plan, the schedule with its retries, the shares of the rate
limits, the reading of reports, the limit that each worker adapts to what the service takes. Made up: the
network and the workers, which take their time, die, hang and come back as the arguments say. Prints one
table; the figures are in `s3haul help cluster`.
"""

import argparse
import heapq
import random
import tempfile
import time
import tracemalloc
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.driver import HUNG_AFTER, READ_EVERY, ErrorSummary, Schedule, sharers
from s3haul.cluster.plan import RECORD, Attempt, Cutter, ShardSize, encode_shard
from s3haul.cluster.records import AttemptReport
from s3haul.core.limits import AdaptiveLimit
from s3haul.models import ObjectRef

SAMPLE = 300_000
MEAN_SIZE = 200_000  # bytes
SECONDS_A_SHARD = 60.0
SPREAD = 0.35  # of the logarithm of a shard's time
REPLACEMENT = 120.0  # seconds until a lost worker is replaced
HANG_SHARE = 0.02  # of the losses are workers that hang
SESSION = 2700.0  # seconds between two AssumeRole of a worker
LOST = ErrorSummary("lost")
QUOTA = 5500.0  # requests a second that the service takes, 0.1 s of them at once
ANSWER = 0.1  # seconds, on average; a refusal takes a quarter
ADAPTING, ADAPTED = 30.0, 60.0  # seconds; between them the quota counts


class Planned(NamedTuple):
    """What planning costs: objects a second, the peak of memory, bytes of files an object."""

    rate: float
    peak: int
    bytes_each: float


class Simulated(NamedTuple):
    """A simulated run, in seconds of its own clock; `decision` is real time of the driver for one event."""

    makespan: float
    ideal: float
    losses: int
    hung: int
    lost_time: float
    poisoned: int
    most_over_limit: float
    decision: float


def plan(sample: int, dice: random.Random) -> Planned:
    """Cut and encode a sample of the listing, as the planner does; once for the time, once for the memory."""
    started = time.perf_counter()
    objects, size = _cut(sample, dice)
    seconds = time.perf_counter() - started
    tracemalloc.start()
    _cut(sample // 3, dice)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return Planned(objects / seconds, peak, size / objects)


def _cut(count: int, dice: random.Random) -> tuple[int, int]:
    """How many objects went into shards that are full, and the size of their files."""
    cutter, objects, size = Cutter(ShardSize()), 0, 0
    for number in range(count):
        ref = ObjectRef(
            f"2026/{number // 1000:06d}/part-{number:09d}.parquet",
            int(dice.expovariate(1 / MEAN_SIZE)),
            f'"{dice.getrandbits(128):032x}"',
            1.7e9 + number,
        )
        for shard in cutter.add(ref):
            size += len(encode_shard(shard)[0])
            objects += shard.objects
    return objects, size


class Event(NamedTuple):
    """Something that happens at `at`; `serial` keeps the order of what happens together."""

    at: float
    serial: int
    what: str
    shard: int | None = None


class Simulation:
    """Every worker takes a shard, finishes or is lost; the schedule decides what comes next."""

    def __init__(self, shards: int, workers: int, loss_per_hour: float, dice: random.Random) -> None:
        self.schedule = Schedule(deque(range(shards)))
        self.workers, self.idle, self.late = workers, workers, 0
        self.loss, self.dice = loss_per_hour / 3600, dice
        self.events: list[Event] = []
        self.now = self.work = self.lost_time = self.over = self.spent = 0.0
        self.serial = self.losses = self.hung = self.decisions = 0

    def run(self) -> Simulated:
        """To the end."""
        while self.schedule.open:
            began = time.perf_counter()
            self._start()
            count = sharers(slots=self.workers, open_shards=self.schedule.open)
            # A worker that nobody can reach goes on with the share that it had when all were at work.
            over = len(self.schedule.running) / count + self.late / self.workers - 1.0
            self.over = max(self.over, over)
            if self.idle and self.schedule.retries and not self.schedule.waiting:
                self._later(max(0.0, min(self.schedule.retries).due - self.now), "due")
            event = heapq.heappop(self.events)
            self.now = event.at
            self._happen(event)
            self.decisions += 1
            self.spent += time.perf_counter() - began
        poisoned, decision = len(self.schedule.poisoned), self.spent / self.decisions
        ideal = self.work / self.workers
        return Simulated(
            self.now, ideal, self.losses, self.hung, self.lost_time, poisoned, max(0.0, self.over), decision
        )

    def _later(self, delay: float, what: str, shard: int | None = None) -> None:
        self.serial += 1
        heapq.heappush(self.events, Event(self.now + delay, self.serial, what, shard))

    def _start(self) -> None:
        while self.idle and (shard := self.schedule.next(self.now)) is not None:
            self.idle -= 1
            seconds = SECONDS_A_SHARD * self.dice.lognormvariate(0.0, SPREAD)
            dies = self.dice.expovariate(self.loss) if self.loss else seconds
            if dies >= seconds:
                self.work += seconds
                self._later(seconds, "finished", shard)
                continue
            hangs = self.dice.random() < HANG_SHARE
            self.losses, self.hung = self.losses + 1, self.hung + hangs
            silence = HUNG_AFTER if hangs else 0.0
            self.lost_time += dies + silence + REPLACEMENT
            self._later(dies + silence, "given up" if hangs else "lost", shard)

    def _happen(self, event: Event) -> None:
        shard = event.shard
        if shard is None:
            self.idle += event.what == "replaced"
        elif event.what == "finished":
            self.schedule.finished(shard)
            self.idle += 1
        else:
            self.schedule.failed(shard, LOST, self.now)
            self.late += event.what == "given up"
            self._later(REPLACEMENT, "replaced")


class Shared(NamedTuple):
    """Shares, while workers adapt to one quota: of the quota that is used,
    and of the requests that are refused."""

    used: float
    refused: float


def share_quota(workers: int, dice: random.Random) -> Shared:
    """Workers that know nothing of each other, with the real adaptive limits. They never lack objects."""
    limits, sending = [AdaptiveLimit(256) for _ in range(workers)], [0] * workers
    burst = tokens = QUOTA / 10
    filled, served, refused = 0.0, 0, 0
    # When, for whom, whether it is an answer (and not the end of a pause),
    # whether it was served, when it was sent.
    events = [(dice.random(), worker, False, False, 0.0) for worker in range(workers)]
    heapq.heapify(events)
    while events[0][0] < ADAPTED:
        now, worker, answer, fine, sent = heapq.heappop(events)
        limit = limits[worker]
        if answer:
            sending[worker] -= 1
            if fine:
                limit.served(now, 1, saturated=True)
            else:
                limit.throttled(now, sent=sent)
            if now >= ADAPTING:
                served, refused = served + fine, refused + (not fine)
        if now < limit.paused_until and not sending[worker]:
            heapq.heappush(events, (limit.paused_until, worker, False, False, now))
        while now >= limit.paused_until and sending[worker] < max(1, int(limit.limit)):
            tokens, filled = min(burst, tokens + (now - filled) * QUOTA), now
            fine = tokens >= 1.0
            tokens -= fine
            sending[worker] += 1
            takes = ANSWER * (0.5 + dice.random()) * (1.0 if fine else 0.25)
            heapq.heappush(events, (now + takes, worker, True, fine, now))
    return Shared(served / (QUOTA * (ADAPTED - ADAPTING)), refused / (served + refused))


def reading_reports(workers: int) -> float:
    """Seconds to read what so many attempts report, from a local disk."""
    with tempfile.TemporaryDirectory() as root:
        directory = RunDirectory.create(Path(root) / "run")
        for shard in range(workers):
            directory.report(AttemptReport(shard=shard, attempt=1, node="node", pid=1, sequence=1))
        started = time.perf_counter()
        for shard in range(workers):
            directory.last_report(Attempt(shard, 1))
        return time.perf_counter() - started


def lines(arguments: argparse.Namespace) -> Iterator[str]:
    """All figures, a line each."""
    dice = random.Random(arguments.seed)
    planned = plan(arguments.sample, dice)
    per_object = 1 / ShardSize().objects + MEAN_SIZE / ShardSize().bytes
    shards = int(arguments.objects * per_object) + 1
    yield f"objects                   {arguments.objects:,}, {arguments.workers:,} workers, {shards:,} shards"
    yield f"planner                   {planned.rate:,.0f} objects/s, peak {planned.peak / 2**20:.0f} MiB and {RECORD} bytes a shard"
    yield f"plan on the disk          {planned.bytes_each:.0f} bytes an object, index {shards * RECORD / 2**20:.0f} MiB"
    reports = reading_reports(arguments.workers)
    yield f"reports                   {arguments.workers / READ_EVERY:,.0f} a second, {reports / READ_EVERY:.1%} of the driver's time"
    yield f"AssumeRole                {arguments.workers / SESSION:.2f} calls/s, from all workers"
    for workers in (4, 16, 64, 256):
        shared = share_quota(workers, dice)
        yield f"{workers:3} workers, one quota    {shared.used:.0%} of it used, {shared.refused:.1%} of the requests refused"
    for loss in (0.0, arguments.spot_loss, 10 * arguments.spot_loss):
        run = Simulation(shards, arguments.workers, loss, dice).run()
        yield (
            f"losses of {loss:4.0%} an hour     {run.makespan / 3600:.2f} h ({run.makespan / run.ideal - 1:+.1%} over ideal),"
            f" {run.losses:,} attempts lost ({run.hung} hung), {run.lost_time / 3600:,.0f} worker hours"
            f" ({run.lost_time / (run.makespan * arguments.workers):.2%}), {run.poisoned} given up,"
            f" rate limit exceeded by {run.most_over_limit:.1%} at most, {run.decision * 1e6:.0f} us a decision"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=1000)
    parser.add_argument("--objects", type=int, default=10**9)
    parser.add_argument("--spot-loss", type=float, default=0.05, help="share of the workers lost in an hour")
    parser.add_argument("--sample", type=int, default=SAMPLE, help="objects that are really planned")
    parser.add_argument("--seed", type=int, default=1)
    for line in lines(parser.parse_args()):
        print(line, flush=True)


if __name__ == "__main__":
    main()
