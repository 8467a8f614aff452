"""Runs with the real engine, journal, disk and transport, against the embedded cloud, in this process."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from contract.demo_access import demo_profile
from contract.stores import MAY_SEE_PARTS
from engine.harness import Run, nap
from s3haul.aws.session import open_store
from s3haul.core.stats import Stats
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.disk import Destination
from s3haul.engine.run import Job, run_job
from s3haul.events import Event
from s3haul.journal import SourceIdentity
from s3haul.options import AccessOptions, RangeOptions, SourceOptions, TransferOptions
from s3haul.store.protocol import ObjectStore

TINY = RangeOptions(above=2_000, smallest=250, largest=250, block=400)
QUICK = TransferOptions(concurrency=8, max_attempts=4, ranges=TINY)
SOURCE = SourceOptions(bucket=seed.BUCKET)


def empty_server(*, may_see_parts: bool = True, tls: bool = True) -> DemoServer:
    server = DemoServer(tls=tls)
    if may_see_parts:
        server.cloud.roles[seed.ROLE_ARN].policies.append(MAY_SEE_PARTS)
    return server


@asynccontextmanager
async def opened(
    server: DemoServer, transport: str, home: Path, **options: object
) -> AsyncIterator[ObjectStore]:
    access = AccessOptions(profile="export", transport=transport)
    home.mkdir(exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    with demo_profile(server, home):
        async with open_store(access, SOURCE, replace(QUICK, **options), on_event=lambda _: None) as found:
            assert found.transport == transport
            yield found.store


async def run_on(store: ObjectStore, root: Path, source: SourceOptions = SOURCE, **options: object) -> Run:
    """Copy the whole bucket to `root`."""
    done = Run(Stats())

    def emit(event: Event) -> None:
        done.stats.observe(event)
        done.events.append(event)

    with Destination.open(root) as destination:
        destination.lock()
        job = Job(
            store=store,
            credentials=None,
            destination=destination,
            source=source,
            identity=SourceIdentity(source.bucket, "", "test"),
            options=replace(QUICK, **options),
            sleep=nap,
        )
        await run_job(job, done.stats, emit)
    return done


__all__ = ["QUICK", "SOURCE", "TINY", "empty_server", "opened", "run_on"]
