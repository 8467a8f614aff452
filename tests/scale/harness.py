"""One haul with real engine processes against the embedded cloud; the cloud runs in this process."""

import contextlib
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from contract.demo_access import demo_profile
from s3haul.aws.session import open_store
from s3haul.core.tally import Tally
from s3haul.demo import seed
from s3haul.demo.calls import Call, CallLog
from s3haul.demo.server import DemoServer
from s3haul.disk import Destination
from s3haul.engine.run import Job, haul
from s3haul.events import Emit, Event, Received, Warned
from s3haul.journal import SourceIdentity
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.scale.company import Plan
from s3haul.scale.processes import Processes


@dataclass
class Run:
    """What one run did."""

    tally: Tally = field(default_factory=Tally)
    events: list[Event] = field(default_factory=list)

    @property
    def warnings(self) -> list[str]:
        return [event.message for event in self.events if isinstance(event, Warned)]

    @property
    def received(self) -> int:
        return sum(event.bytes for event in self.events if isinstance(event, Received))


class Alarm(CallLog):
    """A call log that wakes somebody, in the server's thread, before each answer is sent."""

    def __init__(self, ring: Callable[[Call], None]) -> None:
        super().__init__()
        self._ring = ring

    def add(self, call: Call) -> None:
        super().add(call)
        self._ring(call)


async def run_once(
    server: DemoServer,
    base: Path,
    *,
    processes: int = 2,
    at_once: bool = True,
    on_event: Emit = lambda _event: None,
    plan: dict[str, object] | None = None,
    **options: object,
) -> Run:
    """Haul the whole bucket to `base/dest`; `processes` of 0 leave it to this one."""
    source = SourceOptions(bucket=seed.BUCKET)
    transfer = replace(TransferOptions(concurrency=16), **options)
    done = Run()

    def emit(event: Event) -> None:
        done.tally.observe(event)
        done.events.append(event)
        on_event(event)

    with demo_profile(server, base), Destination.open(base / "dest") as destination:
        destination.lock()
        destination.clear_temporary()
        opening = open_store(AccessOptions(profile="export"), source, transfer, on_event=emit)
        async with opening as opened:
            wiring = opened.wiring
            reinforcement = Processes(
                Plan(processes, wiring.endpoint, wiring.authorities, wiring.fetch, **plan or {}),
                at_once=at_once,
            )
            job = Job(
                store=opened.store,
                credentials=opened.credentials,
                destination=destination,
                source=source,
                identity=SourceIdentity(source.bucket, source.base, "demo"),
                options=transfer,
                reinforcement=reinforcement if processes else None,
            )
            await haul(job, done.tally, emit)
    return done


def engines(parent: int | None = None) -> list[int]:
    """The engine processes that `parent` has now."""
    found = []
    for listed in Path(f"/proc/{parent or os.getpid()}/task").glob("*/children"):
        found += [int(word) for word in listed.read_text().split()]
    return [pid for pid in found if b"s3haul.scale.child" in _command_line(pid)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""


def kill_all(number: int = signal.SIGKILL) -> int:
    """Send a signal to all engine processes of this one; how many there were."""
    found = engines()
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(found)
