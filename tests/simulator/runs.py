"""One seed, played: runs that meet trouble, then the same command again under a clear sky."""

import asyncio
import hashlib
import random
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from unittest.mock import patch

from s3haul.core.stats import Stats
from s3haul.engine.run import Job, run_job
from s3haul.errors import S3HaulError
from s3haul.events import Event
from s3haul.journal import SourceIdentity
from s3haul.journal import journal as journal_module
from s3haul.options import SourceOptions
from s3haul.store import limiter
from simulator import promises
from simulator.disk import SimulatedDestination, SimulatedWriter
from simulator.loop import VirtualLoop
from simulator.scenario import End, Scenario, draw
from simulator.service import Service, Session, Weather

MEMORY = Path("/dev/shm")


@dataclass
class Run:
    """What one run did. `error` is what ended it early; `image` the disk that a crash would have left."""

    service: Service
    root: Path
    stats: Stats = field(default_factory=Stats)
    events: list[Event] = field(default_factory=list)
    error: BaseException | None = None
    image_at: Path | None = None
    image: Path | None = None
    spoiled: set[str] = field(default_factory=set)  # files that an earlier power loss has emptied
    spoiled_next: set[str] = field(default_factory=set)  # the same, in the image
    seconds: float = 0.0  # of virtual time
    interrupted_at: float | None = None
    ended_at: float = 0.0
    steps: int = 0
    most_tasks: int = 0


@dataclass
class Played:
    """A seed and what came of it; `trace` is the same for every replay."""

    seed: int
    scenario: Scenario
    runs: list[Run]

    @property
    def trace(self) -> str:
        told = hashlib.sha256()
        for run in self.runs:
            told.update(
                repr((run.events, run.seconds, run.steps, run.error)).encode("utf-8", "surrogatepass")
            )
        return told.hexdigest()


def play(seed: int) -> Played:
    """All runs of one seed. Raises `AssertionError` for a promise that is broken, with the seed in it."""
    dice = random.Random(seed)
    scenario = draw(dice)
    with ExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None))
        stack.enter_context(patch.object(journal_module, "Writer", SimulatedWriter))
        stack.enter_context(patch.object(SimulatedWriter, "batch_size", scenario.commit_every))
        stack.enter_context(patch.object(limiter, "PROCESSORS", Path(home) / "none"))
        random.seed(seed)  # the jitter of the engine
        try:
            played = _play(seed, scenario, dice, Path(home))
        except Exception as broken:
            said = str(broken) if isinstance(broken, AssertionError) else repr(broken)
            raise AssertionError(f"seed {seed}: {said}\n{scenario}") from broken
    return played


def _play(seed: int, scenario: Scenario, dice: random.Random, home: Path) -> Played:
    objects = scenario.objects
    versions = {key: {found.etag: found.body} for key, found in objects.items()}
    root, runs, spoiled = home / "run0", list[Run](), set[str]()

    def serve(weather: Weather) -> Service:
        shape = {"batches": scenario.batches, "page_size": scenario.page_size}
        return Service(objects, versions, dice, weather, **shape)

    for number in range(scenario.rounds):
        run = Run(serve(scenario.weather), root, image_at=home / f"run{number + 1}", spoiled=spoiled)
        _run(run, scenario, dice, ends=True)
        promises.after_trouble(run, scenario)
        runs.append(run)
        root, spoiled = run.image or root, spoiled | run.spoiled_next
        for key in dice.sample(sorted(objects), dice.choice((0, 0, len(objects) // 3))):
            run.service.change(key, dice.randbytes(dice.choice((1, len(objects[key].body), 3_000))))
    known = promises.committed(root)
    runs.append(_run(Run(serve(Weather()), root), scenario, dice, ends=False))
    promises.after_resume(runs[-1], known)
    promises.outside(home)
    return Played(seed, scenario, runs)


def _run(run: Run, scenario: Scenario, dice: random.Random, *, ends: bool) -> Run:
    loop = VirtualLoop(dice)
    asyncio.set_event_loop(loop)
    began = loop.time()
    try:
        with SimulatedDestination.open(run.root) as destination:
            destination.dice, destination.unsynced = dice, set()
            if ends and scenario.disk_fails_after is not None:
                destination.fails_after, destination.code = scenario.disk_fails_after, scenario.disk_code
            destination.lock()
            task = loop.create_task(_haul(run, scenario, dice, destination))
            if ends:
                loop.at_step[scenario.step] = lambda: _end(run, scenario, loop, task, destination)
            try:
                loop.run_until_complete(task)
            except (S3HaulError, asyncio.CancelledError) as error:
                run.error = error
            run.ended_at = loop.time()
            loop.run_until_complete(run.service.ended())
            promises.nothing_left_open(loop, run)
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    run.seconds, run.steps, run.most_tasks = run.ended_at - began, loop.steps, loop.most_tasks
    return run


async def _haul(run: Run, scenario: Scenario, dice: random.Random, destination: SimulatedDestination) -> None:
    def emit(event: Event) -> None:
        run.stats.observe(event)
        run.events.append(event)

    loop = asyncio.get_running_loop()
    credentials = None
    if scenario.session is not None:
        session = Session(dice, seconds=scenario.session, failing=scenario.sts_fails, emit=emit)
        credentials = session.credentials
        await credentials.start()
        run.service.session = session
    source = SourceOptions(bucket="bucket", page_size=scenario.page_size)
    job = Job(
        store=run.service,
        credentials=credentials,
        destination=destination,
        source=source,
        identity=SourceIdentity("bucket", "", "simulator"),
        options=scenario.options,
        clock=loop.time,
    )
    await run_job(job, run.stats, emit)


def _end(run: Run, scenario: Scenario, loop: VirtualLoop, task: asyncio.Task, destination) -> None:
    """What the scenario has in store. What is killed is cancelled here, once the image is taken."""
    match scenario.end:
        case End.CANCELLED:
            task.cancel()
        case End.SIGNAL:
            if handler := loop.signals.get(scenario.signal):
                run.interrupted_at = loop.time()
                handler()
        case End.KILLED | End.POWER_LOSS:
            run.image = run.image_at
            run.spoiled_next = destination.image(run.image, power_loss=scenario.end is End.POWER_LOSS)
            task.cancel()
        case End.ITSELF:
            pass
