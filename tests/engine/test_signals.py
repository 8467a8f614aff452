"""A signal before the first request ends the run, too."""

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
