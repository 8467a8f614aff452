"""What a run shows: bars, lines or JSON, and never a raw key."""

import io
import json

from s3haul.core.tally import Tally
from s3haul.events import (
    AlreadyDone,
    CredentialsRenewed,
    Finished,
    Listed,
    ListingEnded,
    Received,
    Resumed,
    Retrying,
    Tick,
    Warned,
)
from s3haul.models import ObjectRef, Outcome, State
from s3haul.progress import Bars, JsonLines, Lines, Quiet

EVIL = "k\x1b[2J\nforged"


def outcome(state, reason=None, key=EVIL):
    return Finished(Outcome(ObjectRef(key, 10, '"e"', 0.0), state, key, reason, "said\x1b"))


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


def feed(listener, tally, *events):
    for event in events:
        tally.observe(event)
        listener.observe(event)


def test_a_line_comes_every_ten_seconds_and_not_more_often():
    tally, stream, clock = Tally(), io.StringIO(), Clock()
    lines = Lines(tally, stream, clock=clock)
    feed(lines, tally, Listed(3, 30, 0))
    for clock.now in (1.0, 9.0, 10.0, 11.0, 19.0, 20.0):
        feed(lines, tally, Received(10), outcome(State.DONE))
    assert stream.getvalue().splitlines() == [
        "10 s: 2 of 3+ objects, 30 B received, 3 B/s, 0 failed, 0 skipped",
        "20 s: 5 of 3+ objects, 60 B received, 3 B/s, 0 failed, 0 skipped",
    ]


def test_bytes_of_an_earlier_run_shorten_the_bar_and_do_not_count_as_speed():
    tally = Tally()
    bars = Bars(tally, io.StringIO())
    feed(bars, tally, Listed(1, 100, 0), Resumed(60), Received(30))
    assert (bars._bytes.total, bars._bytes.n) == (40, 30)
    feed(bars, tally, Resumed(-60), Received(-30))
    assert (bars._bytes.total, bars._bytes.n, tally.resumed) == (100, 0, 0)
    bars.close()


def test_a_line_comes_also_while_nothing_else_happens():
    tally, stream, clock = Tally(), io.StringIO(), Clock()
    lines = Lines(tally, stream, clock=clock)
    for clock.now in range(31):
        feed(lines, tally, Tick())
    assert len(stream.getvalue().splitlines()) == 3


def test_warnings_are_escaped_everywhere():
    for make in (Lines, lambda _tally, stream: Quiet(stream), Bars):
        tally, stream = Tally(), io.StringIO()
        listener = make(tally, stream)
        feed(listener, tally, Warned(EVIL))
        listener.close()
        assert "\\u001b[2J\\nforged" in stream.getvalue()
        assert "\x1b[2J" not in stream.getvalue()


def test_bars_count_bytes_objects_failures_and_the_next_refresh():
    tally, stream, clock = Tally(), io.StringIO(), Clock()
    bars = Bars(tally, stream, clock=clock)
    feed(
        bars,
        tally,
        CredentialsRenewed(3600.0, 1800.0),
        Listed(4, 40, 0),
        AlreadyDone(1, 10),
        Received(10),
        outcome(State.DONE),
        outcome(State.FAILED, "network"),
        outcome(State.SKIPPED, "archived"),
        ListingEnded(),
    )
    bars.close()
    shown = stream.getvalue()
    assert "4/4" in shown
    assert "10.0/10.0" in shown
    assert "failed=1" in shown
    assert "skipped=1" in shown
    assert "refresh=30 min 00 s" in shown
    assert "forged" not in shown


def test_json_lines_hold_one_object_each_and_leave_good_objects_out():
    tally, stream = Tally(), io.StringIO()
    log = JsonLines(stream, clock=lambda: 1.5)
    feed(
        log,
        tally,
        outcome(State.DONE),
        outcome(State.FAILED, "network"),
        Retrying("k", "throttled", "slow", 2, 0.5, everyone=True),
        CredentialsRenewed(3600.0, 1800.0),
        Warned("w", "S3H-STS-11"),
        Received(5),
    )
    records = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [record["event"] for record in records] == ["object", "retry", "credentials", "warning"]
    assert records[0] | {"key": EVIL, "state": "failed", "reason": "network"} == records[0]
    assert all(record["schema"] == 1 and record["time"] == 1.5 for record in records)


def test_quiet_shows_nothing_but_warnings():
    tally, stream = Tally(), io.StringIO()
    feed(Quiet(stream), tally, Listed(1, 1, 0), outcome(State.FAILED, "network"))
    assert stream.getvalue() == ""
