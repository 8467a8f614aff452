"""The progress of a run as bars, lines or JSON; keys are always escaped."""

import io
import json

import pytest

from s3haul.cli.listeners import StatusLine
from s3haul.events import (
    CredentialsRenewed,
    Finished,
    Listed,
    ListingEnded,
    Noted,
    Received,
    Retrying,
    Warned,
)
from s3haul.models import ObjectRef, Outcome, State
from s3haul.progress import Bars, JsonLines, Lines, Quiet
from terminals import Clock, Run, Terminal

EVIL = "k\x1b[2J\nforged"
MIB = 1 << 20


def outcome(state, reason=None, key=EVIL, size=10, fetched=10):
    ref = ObjectRef(key, size, '"e"', 0.0)
    return Finished(Outcome(ref, state, key, reason, "said\x1b", fetched=fetched))


def retrying(reason, message="try again"):
    return Retrying("k", reason, message, 1, 0.5)


@pytest.fixture(params=[80, 120])
def columns(request, monkeypatch):
    monkeypatch.setattr("s3haul.progress.Screen.columns", property(lambda self: self._stream.columns))
    return request.param


def bars(columns):
    return Run(Bars, Terminal(columns))


def clean(terminal):
    """Whether the cursor is at the start of an empty line, below all text."""
    return terminal.screen.cursor.x == 0 and terminal.screen.cursor.y == len(terminal.rows)


def test_during_the_listing_the_bars_show_no_percentage_and_no_time_left(columns):
    run = bars(columns)
    run.feed(Noted("role/export at https://s3 (us-east-1)"), Listed(48_999, 48_999 * MIB, 0))
    run.seconds(20, Received(10 * MIB), *[outcome(State.DONE, size=MIB, fetched=MIB)] * 10)
    assert run.stream.rows == [
        "role/export at https://s3 (us-east-1)",
        "bytes    200 MiB of 47.9 GiB+, 10.0 MiB/s",
        "objects  200 of 48,999+, 10/s, listing",
    ]
    assert clean(run.stream)


def test_after_the_listing_the_bars_show_share_rate_and_time_left(columns):
    run = bars(columns)
    run.feed(Listed(1000, 1000 * MIB, 0), ListingEnded())
    run.seconds(25, Received(10 * MIB), *[outcome(State.DONE, size=MIB, fetched=MIB)] * 10)
    size, count = run.stream.rows
    assert size.startswith("bytes    25%|█")
    assert size.endswith("| 250 MiB of 1.0 GiB, 10.0 MiB/s, 1 min 15 s left")
    assert count.startswith("objects  25%|█")
    assert count.endswith("| 250 of 1,000, 10/s")
    assert 12 <= size.index("| 250") - size.index("|") - 1 <= 40
    assert max(map(len, run.stream.rows)) < columns
    assert clean(run.stream)


def test_throttling_retries_and_failures_are_shown_below_the_bars(columns):
    run = bars(columns)
    run.feed(Listed(10, 100, 0), ListingEnded(), outcome(State.FAILED, "network"))
    run.feed(*[retrying("server-error")] * 1253, retrying("throttled"))
    run.seconds(1)
    note = "         1 failed, throttled, 1,254 retries (server-error, throttled)"
    assert run.stream.rows[2] == note
    run.seconds(12)
    assert run.stream.rows[2] == note.replace("throttled, 1", "1")


def test_a_stall_is_shown_with_its_cause_and_the_rate_falls_to_zero(columns):
    run = bars(columns)
    run.feed(Listed(10, 100 * MIB, 0), ListingEnded())
    run.seconds(10, Received(MIB))
    run.feed(retrying("network", "connection \x1breset"))
    run.seconds(31)
    size, _, _, note = run.stream.rows
    assert size.endswith("| 10.0 MiB of 100 MiB, 0 B/s")
    assert note == "         nothing arrived for 31 s: last network (connection \\u001breset)"
    run.seconds(1, Received(MIB))
    assert len(run.stream.rows) == 3


def test_a_stalled_listing_is_visible_before_the_first_key(columns):
    run = bars(columns)
    run.seconds(31, retrying("server-error"))
    assert run.stream.rows == [
        "listing  nothing found yet, 31 s",
        "         31 retries (server-error)",
        "         nothing arrived for 31 s: last server-error (try again)",
    ]
    run.listener.close()
    assert run.stream.rows == []


def test_warnings_are_printed_above_the_bars_and_echoed_text_is_removed(columns):
    run = bars(columns)
    run.feed(Listed(2, 20, 0), ListingEnded())
    run.seconds(1)
    run.stream.write("^C")
    run.feed(Warned("SIGINT: finishing what is under way"))
    assert clean(run.stream)  # a second Ctrl-C ends the program here
    run.feed(Received(20), outcome(State.DONE), outcome(State.DONE))
    run.listener.close()
    warning, size, count = run.stream.rows
    assert warning == "! SIGINT: finishing what is under way"
    assert size.startswith("bytes   100%|")
    assert count.endswith("| 2 of 2, 2/s")
    assert clean(run.stream)


def test_if_nothing_was_listed_no_bars_are_left(columns):
    run = bars(columns)
    run.seconds(3)
    assert run.stream.rows == ["listing  nothing found yet, 3.0 s"]
    run.listener.close()
    assert (run.stream.rows, clean(run.stream)) == ([], True)


def test_bars_are_drawn_a_few_times_per_second_at_most(columns):
    run = bars(columns)
    run.feed(Listed(100, 1000, 0))
    before = len(run.stream.getvalue())
    run.feed(*[outcome(State.DONE)] * 100)
    assert len(run.stream.getvalue()) == before


def test_a_stream_that_cannot_encode_blocks_gets_ascii_bars(columns):
    run = Run(Bars, Terminal(columns))
    run.stream.encoding = "ascii"
    run.listener = Bars(run.stats, run.stream, clock=run.clock)
    run.feed(Listed(2, 20, 0), ListingEnded(), Received(10), outcome(State.DONE))
    run.listener.close()
    assert run.stream.getvalue().isascii()


def test_a_line_comes_every_ten_seconds_and_not_more_often():
    run = Run(Lines, io.StringIO())
    run.feed(Listed(3, 30, 0))
    run.seconds(10, Received(1))
    run.feed(ListingEnded(), retrying("throttled"), outcome(State.SKIPPED, "archived"), Received(0))
    run.seconds(10, Received(1))
    assert run.lines() == [
        "10 s: 0 of 3+ objects, 10 B of 30 B+, 1 B/s",
        "20 s: 1 of 3 objects, 20 B of 20 B (100 %), 1 B/s, 40 s left, 1 skipped, throttled, 1 retry (throttled)",
    ]


def test_a_line_is_printed_also_without_events_and_shows_the_stall():
    run = Run(Lines, io.StringIO())
    run.seconds(31)
    assert len(run.lines()) == 3
    assert run.lines()[2].endswith("nothing arrived for 30 s")


@pytest.mark.parametrize("make", [Lines, Quiet, Bars])
def test_messages_are_escaped_everywhere_and_coloured_only_on_request(make):
    for colour, mark in ((False, "! "), (True, "\x1b[33m!\x1b[0m ")):
        run = Run(make, io.StringIO(), colour=colour)
        run.feed(Warned(EVIL, "S3H-DST-02"))
        run.listener.close()
        assert run.stream.getvalue() == f"{mark}k\\u001b[2J\\nforged   [S3H-DST-02]\n"


def test_quiet_prints_short_lines_about_stalls_and_retries_only():
    run = Run(Quiet, io.StringIO())
    run.feed(
        Listed(1, 1, 0), Noted("who"), outcome(State.FAILED, "network"), *[retrying("server-error")] * 253
    )
    run.seconds(29)
    assert run.lines() == []
    run.seconds(100)
    assert run.lines() == [
        "! nothing arrived for 30 s: last server-error (try again)",
        "! 253 retries (server-error) in the last minute",
        "! nothing arrived for 1 min 00 s: last server-error (try again)",
        "! nothing arrived for 2 min 00 s: last server-error (try again)",
    ]


def test_without_progress_notes_are_printed_unless_quiet():
    run = Run(Quiet, io.StringIO(), notes=True)
    run.feed(Noted("who"))
    assert run.lines() == ["who"]


def json_log():
    stream = io.StringIO()
    return Run(lambda *a, **k: JsonLines(*a, **k, wall=lambda: 1.5), stream)


MOMENT = "1970-01-01T00:00:01.500Z"


def records(run):
    return [json.loads(line) for line in run.lines()]


def test_json_lines_contain_one_object_each_and_none_for_done_objects():
    run = json_log()
    run.feed(
        outcome(State.DONE),
        outcome(State.FAILED, "network"),
        Retrying("k", "throttled", "slow", 2, 0.5, everyone=True),
        CredentialsRenewed(3600.0, 1800.0),
        Warned("w", "S3H-STS-11"),
        Noted("n"),
        Received(5),
    )
    found = records(run)
    assert [record["event"] for record in found] == ["object", "retry", "credentials", "warning", "note"]
    assert found[0] | {"key": EVIL, "state": "failed", "reason": "network"} == found[0]
    assert all(record["schema"] == 1 and record["time"] == MOMENT for record in found)
    assert (found[2]["expires"], found[2]["next_refresh"]) == ("1970-01-01T01:00:00Z", "1970-01-01T00:30:00Z")


def test_json_lines_contain_the_progress_every_ten_seconds():
    run = json_log()
    run.feed(Listed(4, 400, 0))
    run.seconds(10, Received(10))
    run.feed(ListingEnded(), outcome(State.DONE, size=100, fetched=100))
    run.seconds(10, Received(10))
    first, second = records(run)
    assert first == {
        "schema": 1,
        "time": MOMENT,
        "event": "progress",
        "elapsed_seconds": 10.0,
        "listing_complete": False,
        "objects": {
            "ended": 0,
            "selected": 4,
            "failed": 0,
            "skipped": 0,
            "unchanged": 0,
            "found_in_place": 0,
            "encoded": 0,
            "per_second": 0.0,
        },
        "bytes": {"received": 100, "to_fetch": 400, "resumed": 0, "per_second": 10},
        "share": None,
        "remaining_seconds": None,
        "throttled": False,
        "retries": {},
        "silent_seconds": 0.0,
        "last_retry": "",
    }
    assert (second["share"], second["remaining_seconds"]) == (0.5, 60.0)


@pytest.mark.parametrize("terminal", [True, False])
def test_a_status_line_is_drawn_in_place_or_written_every_ten_seconds(terminal):
    clock = Clock()
    stream = Terminal(80)
    status = StatusLine(stream, terminal=terminal, clock=clock)
    for clock.now in (0.5, 1.0, 2.0, 9.9, 10.0, 11.0):
        status.update(lambda seconds: f"{seconds:g} of 20")
    status.say("x damaged")
    assert stream.rows == (["x damaged", "11 of 20"] if terminal else ["10 s: 10 of 20", "x damaged"])
    status.close()
    assert stream.rows == (["x damaged"] if terminal else ["10 s: 10 of 20", "x damaged"])
