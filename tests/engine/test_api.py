"""The Python API with the embedded cloud: its results, and that the process is not changed."""

import asyncio
import gc
import itertools
import resource
import signal
import threading
from contextlib import aclosing
from pathlib import Path

import pytest

import s3haul
from contract.demo_access import demo_profile
from s3haul.core.stats import Stats
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.disk import Destination
from s3haul.errors import DestinationError, JournalError, ProfileError, UsageError
from s3haul.events import Finished, Received

BODIES = {f"d/{number:02}.bin": bytes([number]) * 5_000 for number in range(20)}
SOURCE = s3haul.SourceOptions(bucket=seed.BUCKET)
ACCESS = s3haul.AccessOptions(profile="export")


@pytest.fixture
def server(tmp_path):
    with DemoServer() as server:
        for key, body in BODIES.items():
            server.cloud.put(seed.BUCKET, key, body)
        home = tmp_path / "home"
        home.mkdir()
        with demo_profile(server, home):
            yield server


def open_descriptors() -> int:
    return sum(1 for _ in Path("/dev/fd").iterdir())


def to(root) -> s3haul.DestinationOptions:
    return s3haul.DestinationOptions(root=root)


async def test_a_download_returns_its_counts_and_leaves_signals_alone(server, tmp_path, capfd):
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    events = []

    def listen(event):
        events.append(event)
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers

    stats = await s3haul.download(SOURCE, to(tmp_path / "data"), access=ACCESS, on_event=listen)
    assert (stats.done, stats.exit_code) == (len(BODIES), 0)
    assert {event.outcome.ref.key for event in events if isinstance(event, Finished)} == set(BODIES)
    assert {
        str(p.relative_to(tmp_path / "data")): p.read_bytes() for p in (tmp_path / "data/d").iterdir()
    } == BODIES
    assert capfd.readouterr() == ("", "")


async def test_the_api_refuses_the_same_sources_as_the_command(server, tmp_path):
    source = s3haul.SourceOptions(bucket="door-x1y2z3--ol-s3")
    with pytest.raises(UsageError, match="Object Lambda"):
        await s3haul.download(source, to(tmp_path / "data"), access=ACCESS)
    with pytest.raises(UsageError, match="Object Lambda"):
        await s3haul.check(source, access=ACCESS)
    assert not (tmp_path / "data").exists()


async def test_two_downloads_run_in_one_process(server, tmp_path):
    async with asyncio.TaskGroup() as both:
        first = both.create_task(s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS))
        second = both.create_task(s3haul.download(SOURCE, to(tmp_path / "b"), access=ACCESS))
    assert first.result().done == second.result().done == len(BODIES)


async def test_two_downloads_into_one_destination_are_refused(server, tmp_path):
    async with aclosing(s3haul.download_events(SOURCE, to(tmp_path / "a"), access=ACCESS)) as events:
        await anext(events)
        with pytest.raises(DestinationError):
            await s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS)


async def test_events_are_a_stream_whose_end_is_the_end_of_the_run(server, tmp_path):
    stats = Stats()
    events = [
        event
        async for event in s3haul.download_events(SOURCE, to(tmp_path / "a"), access=ACCESS, stats=stats)
    ]
    assert sum(event.bytes for event in events if isinstance(event, Received)) == sum(
        map(len, BODIES.values())
    )
    assert stats.balanced


async def test_a_stream_that_is_closed_ends_its_run_which_can_be_resumed(server, tmp_path):
    before = asyncio.all_tasks()
    async with aclosing(s3haul.download_events(SOURCE, to(tmp_path / "a"), access=ACCESS)) as events:
        await anext(events)
    assert asyncio.all_tasks() == before
    stats = await s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS)
    assert stats.done + stats.already == len(BODIES)


async def test_a_download_that_is_cancelled_while_it_opens_its_destination_keeps_no_lock(
    server, tmp_path, monkeypatch
):
    loop, reached, go_on = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
    lock = Destination.lock

    def slowly(destination):
        lock(destination)
        loop.call_soon_threadsafe(reached.set)
        go_on.wait()

    with monkeypatch.context() as patch:
        patch.setattr(Destination, "lock", slowly)
        opening = asyncio.create_task(s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS))
        await reached.wait()
        opening.cancel()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await opening
    assert (await s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS)).done == len(BODIES)


async def test_no_object_is_begun_while_the_listener_holds_the_run_back(server, tmp_path):
    asked, go = asyncio.Event(), asyncio.Event()

    async def pace():
        asked.set()
        await go.wait()

    running = asyncio.create_task(s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS, pace=pace))
    await asked.wait()
    assert server.count("GetObject") == 0
    go.set()
    assert (await running).done == len(BODIES)


async def test_the_stream_holds_the_run_back_while_many_events_wait(tmp_path, monkeypatch):
    begun = []

    async def endless(*_, on_event, pace, **__):
        for number in itertools.count():
            begun.append(number)
            on_event(Received(number))
            await asyncio.sleep(0)
            await pace()

    monkeypatch.setattr("s3haul.api.download.download", endless)
    monkeypatch.setattr("s3haul.api.download.MOST_EVENTS", 10)
    async with aclosing(s3haul.download_events(SOURCE, to(tmp_path), access=ACCESS)) as events:
        assert [(await anext(events)).bytes for _ in range(100)] == list(range(100))
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(begun) == 100 + 11


async def test_a_stream_that_is_closed_after_its_run_failed_leaves_no_error_behind(server, tmp_path):
    lost = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))
    nobody = s3haul.AccessOptions(profile="nobody")
    async with aclosing(s3haul.download_events(SOURCE, to(tmp_path / "a"), access=nobody)) as events:
        with pytest.raises(ProfileError):
            await anext(events)
    gc.collect()
    assert not lost


async def test_a_run_in_a_program_changes_no_limit_of_its_process(server, tmp_path):
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = (open_descriptors() + 300, before[1])  # of which the embedded AWS needs some
    resource.setrlimit(resource.RLIMIT_NOFILE, few)
    try:
        stats = await s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == few
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert stats.done == len(BODIES)
    assert f"Only {few[0]} files may be open" in stats.warnings[0]


@pytest.mark.parametrize(
    ("prefix", "recursive", "problem"), [("logs", True, "does not end in /"), ("", False, "names no object")]
)
async def test_a_source_that_cannot_be_meant_is_refused_at_once(server, tmp_path, prefix, recursive, problem):
    source = s3haul.SourceOptions(bucket=seed.BUCKET, prefix=prefix, recursive=recursive)
    with pytest.raises(UsageError, match=problem):
        await s3haul.download(source, to(tmp_path / "data"), access=ACCESS)
    with pytest.raises(UsageError, match=problem):
        await s3haul.check(source, access=ACCESS)
    assert not (tmp_path / "data").exists()
    assert server.calls == []


async def test_an_error_that_ends_a_run_is_raised_also_through_the_stream(server, tmp_path):
    nobody = s3haul.AccessOptions(profile="nobody")
    with pytest.raises(ProfileError):
        await s3haul.download(SOURCE, to(tmp_path / "a"), access=nobody)
    with pytest.raises(ProfileError):
        async for _ in s3haul.download_events(SOURCE, to(tmp_path / "a"), access=nobody):
            pass


async def test_a_check_reports_its_steps_and_what_they_mean(server, tmp_path):
    said = []
    report = await s3haul.check(SOURCE, to(tmp_path / "a"), access=ACCESS, report=said.append)
    assert list(report.steps) == said
    assert report.exit_code == 0


async def test_a_verification_counts_and_names_damaged_files(server, tmp_path):
    await s3haul.download(SOURCE, to(tmp_path / "a"), access=ACCESS)
    (tmp_path / "a/d/03.bin").write_bytes(b"rotten".ljust(5_000))
    found = []
    counts = s3haul.verify(tmp_path / "a", found=found.append)
    assert (counts.verified, counts.damaged) == (len(BODIES) - 1, 1)
    assert [one.key for one in found] == ["d/03.bin"]
    with pytest.raises(JournalError):
        s3haul.verify(tmp_path / "nothing")


def test_private_names_are_not_exported():
    assert set(s3haul.__all__) <= {name for name in s3haul.__all__ if hasattr(s3haul, name)}
    with pytest.raises(AttributeError):
        _ = s3haul.no_such_thing
