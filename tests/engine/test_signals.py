"""A signal before the first request ends the run, too, and one while the bucket is listed again."""

import asyncio
import os
import signal

import pytest

from contract.memory import MemoryStore, stored
from engine.harness import run_once, tree
from s3haul.disk import Destination
from s3haul.errors import InterruptedRunError


async def test_a_signal_while_the_journal_is_opened_ends_the_run_before_any_request(tmp_path, monkeypatch):
    store = MemoryStore({f"{number:02}": stored(b"data") for number in range(50)})
    sync = Destination.sync
    signals = [signal.SIGTERM]

    def sync_with_a_signal(destination):
        while signals:
            os.kill(os.getpid(), signals.pop())
        sync(destination)

    monkeypatch.setattr(Destination, "sync", sync_with_a_signal)
    with pytest.raises(InterruptedRunError) as caught:
        await run_once(store, tmp_path)
    assert caught.value.code == 143
    assert tree(tmp_path) == {}
    done = await run_once(store, tmp_path)
    assert done.stats.done == 50


async def test_a_signal_while_the_bucket_is_listed_again_ends_the_run_at_once(tmp_path):
    listings = []

    async def signal_the_second(call):
        if call.operation == "list":
            listings.append(call)
            if len(listings) == 2:
                os.kill(os.getpid(), signal.SIGTERM)
                await asyncio.Event().wait()

    store = MemoryStore({"k": stored(b"data")}, fault=signal_the_second)
    with pytest.raises(InterruptedRunError) as caught:
        await asyncio.wait_for(run_once(store, tmp_path, reconcile=True), 2)
    assert caught.value.code == 143
    assert tree(tmp_path) == {"k": b"data"}
