"""Whole runs with engine processes end as they do in one process, whatever is in the bucket."""

import sys
from pathlib import Path

import pytest

from e2e.harness import expected, leftovers, tree, wait_until
from engine.harness import manifest
from s3haul.demo.server import DemoServer
from s3haul.events import CredentialsRenewed, Listed, Retrying
from s3haul.models import State
from scale.harness import Alarm, engines, run_once

LOOPS = ("uvloop",)


class Busy(DemoServer):
    """Counts the requests for objects that are under way."""

    now = most = 0

    async def _answer(self, raw):
        if "list-type" in raw.raw_path:
            return await super()._answer(raw)
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            return await super()._answer(raw)
        finally:
            self.now -= 1


def told(root):
    """The manifest, without what is different in every run."""
    return {key: {**line, "completed": None} for key, line in manifest(root).items()}


async def test_two_processes_leave_the_tree_and_the_books_that_one_leaves(varied, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    seen = set()
    varied.log = Alarm(lambda _call: seen.update(engines()))
    two = await run_once(varied, tmp_path / "two", max_attempts=1)
    assert len(seen) == 2
    one = await run_once(varied, tmp_path / "one", max_attempts=1, processes=0)
    assert engines() == []
    roots = [tmp_path / "one" / "dest", tmp_path / "two" / "dest"]
    assert tree(roots[0]) == tree(roots[1])
    assert len(tree(roots[1])) > 340
    assert (roots[1] / "marker").is_dir()
    assert told(roots[0]) == told(roots[1])
    assert one.tally.exit_code == two.tally.exit_code == 1
    assert one.tally.failed == two.tally.failed
    assert one.tally.skipped == two.tally.skipped
    assert one.tally.received == two.tally.received
    assert two.warnings == []
    again = await run_once(varied, tmp_path / "two", max_attempts=1)
    assert again.tally.already == two.tally.done


async def test_a_small_run_starts_no_process(server, tmp_path):
    server.faults.clear()
    seen = set()
    done = await run_once(server, tmp_path, at_once=False, on_event=lambda _event: seen.update(engines()))
    assert done.tally.done == 300
    assert not seen


async def test_a_session_that_ends_is_renewed_once_for_all_processes(server, tmp_path):
    server.faults.add("expire-sessions", operation="GetObject", exactly=60)
    server.faults.add("delay", operation="GetObject", seconds=0.02)
    done = await run_once(server, tmp_path)
    assert tree(tmp_path / "dest") == expected(server)
    assert done.tally.exit_code == 0
    assert server.count("AssumeRole") == 2
    assert sum(isinstance(event, CredentialsRenewed) for event in done.events) == 2
    refused = server.count("GetObject", status=400)
    assert 0 < refused == sum(isinstance(event, Retrying) for event in done.events)


async def test_all_processes_share_one_budget_in_a_storm_of_throttle_answers_too(server, tmp_path):
    limit = 6
    with Busy(server.cloud) as busy:
        busy.faults.add("delay", operation="GetObject", first=limit, seconds=1.2)
        busy.faults.add("delay", operation="GetObject", seconds=0.03)
        for number in (40, 41, 42, 90):
            busy.faults.add(
                "error", operation="GetObject", exactly=number, status=503, code="SlowDown", message="slow"
            )
        done = await run_once(busy, tmp_path, concurrency=limit)
        assert 2 < busy.most <= limit
    assert tree(tmp_path / "dest") == expected(server)
    assert sum(isinstance(event, Retrying) and event.everyone for event in done.events) == 4


@pytest.mark.parametrize(
    ("executable", "why"),
    [("/bin/false", "status 1"), ("/does/not/exist", "could not be started"), ("", "")],
    ids=["dies", "missing", "unknown"],
)
async def test_where_no_process_can_be_started_the_run_goes_on_alone(
    server, tmp_path, monkeypatch, executable, why
):
    monkeypatch.setattr(sys, "executable", executable)
    done = await run_once(server, tmp_path)
    said = " ".join(done.warnings)
    assert ("goes on alone" in said) == bool(why)
    assert why in said
    assert tree(tmp_path / "dest") == expected(server)
    assert done.tally.exit_code == 0
    assert leftovers(tmp_path / "dest") == []


async def test_a_bug_in_a_process_ends_the_run_with_its_story_and_without_secrets(server, tmp_path):
    def empty_authorities(event):
        if isinstance(event, Listed):
            Path(server.ca_path).write_text("")

    with pytest.raises(RuntimeError, match="tls_context") as caught:
        await run_once(server, tmp_path, on_event=empty_authorities)
    for session in server.cloud.sessions.values():
        assert session.secret not in str(caught.value)
        assert session.token[:40] not in str(caught.value)
    wait_until(lambda: not engines(), "the end of the processes")
    assert State.FAILED not in done_states(tmp_path / "dest")


def done_states(root):
    return {line["state"] for line in manifest(root).values()}
