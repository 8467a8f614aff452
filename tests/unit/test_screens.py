"""What stands on a terminal of 80 columns in each situation of a run,
compared with the screens in `screens`."""

from pathlib import Path

import pytest

from s3haul.core.keypath import MARK
from s3haul.events import (
    AlreadyDone,
    Finished,
    Listed,
    ListingEnded,
    Noted,
    Received,
    Resumed,
    Retrying,
    Warned,
)
from s3haul.models import ObjectRef, Outcome, State
from s3haul.progress import Bars
from terminals import Run, Terminal, same_as_kept

MIB = 1 << 20
WHO = Noted("arn:aws:sts::111122223333:assumed-role/export/s3haul at https://s3.eu-central-1.amazonaws.com")


def ended(state=State.DONE, reason=None, fetched=MIB, path="k"):
    return Finished(Outcome(ObjectRef("k", MIB, '"e"', 0.0), state, path, reason, fetched=fetched))


def fetched(count):
    """Events of a second in which so many objects of 1 MiB come."""
    return Received(count * MIB), *[ended()] * count


def listing(run):
    run.feed(Listed(48_000, 48_000 * MIB, 0))
    run.seconds(20, *fetched(40))


def working(run):
    run.feed(Listed(4000, 4000 * MIB, 0), ListingEnded())
    run.seconds(40, *fetched(40))


def before_the_first_page(run):
    run.seconds(4)


def throttled(run):
    working(run)
    slow = Retrying("k", "throttled", "SlowDown: Please reduce your request rate.", 1, 0.5, everyone=True)
    run.seconds(3, *fetched(2), *[slow] * 12)


def stalled(run):
    working(run)
    run.feed(Retrying("k", "network", "Failed to connect to s3.eu-central-1.amazonaws.com port 443", 4, 20.0))
    run.seconds(42)


def again(run):
    """A second run: most is here, some was found in place, a large object goes on inside."""
    run.feed(Listed(4000, 4000 * MIB, 0), AlreadyDone(3000, 3000 * MIB), ListingEnded(), Resumed(300 * MIB))
    run.feed(*[ended(fetched=0)] * 250, *[ended(path=f"{MARK}=%2E%2E")] * 12, Received(12 * MIB))
    run.seconds(5, *fetched(10))


def nothing_new(run):
    run.feed(Listed(4000, 4000 * MIB, 0), AlreadyDone(4000, 4000 * MIB), ListingEnded())
    run.seconds(1)
    run.listener.close()


def finished(run):
    run.feed(Listed(120, 120 * MIB, 0), ListingEnded())
    run.seconds(3, *fetched(40))
    run.listener.close()


def failed(run):
    run.feed(Listed(122, 122 * MIB, 0), ListingEnded())
    run.seconds(3, *fetched(40))
    run.feed(ended(State.FAILED, "access-denied", fetched=0), ended(State.SKIPPED, "archived", fetched=0))
    run.listener.close()


def interrupted(run):
    """The terminal echoes each Ctrl-C; the second one ends the program after its last word."""
    working(run)
    for said in ("SIGINT: finishing what is under way, 3 s at most", "SIGINT again: ended at once"):
        run.stream.write("^C")
        run.feed(Warned(said))


def hostile(run):
    """Words from outside can be as long as they like, and hold what drives a terminal."""
    run.feed(Listed(10, 10 * MIB, 0), ListingEnded())
    run.feed(Retrying("k\x1b[2J", "server-error", "\x1b[31mred\r\n" + "long " * 60, 1, 0.5))
    run.seconds(35)


SITUATIONS = [
    *(before_the_first_page, listing, working, throttled, stalled, again, nothing_new),
    *(finished, failed, interrupted, hostile),
]


@pytest.mark.parametrize("situation", SITUATIONS, ids=lambda situation: situation.__name__)
def test_the_screen_is_the_kept_one_and_leaves_a_clean_prompt(situation, monkeypatch):
    monkeypatch.setattr("s3haul.progress.Screen.columns", 80)
    run = Run(Bars, Terminal(80, rows=16))
    run.feed(WHO)
    situation(run)
    rows = run.stream.rows
    same_as_kept(Path(__file__).parent, situation.__name__.replace("_", "-"), rows)
    assert all(len(row) < 80 for row in rows[2:])  # the first two are who calls, which may be long
    assert (run.stream.screen.cursor.x, run.stream.screen.cursor.y) == (0, len(rows))


@pytest.mark.parametrize("situation", [before_the_first_page, listing])
def test_no_share_and_no_time_left_are_claimed_before_the_total_is_known(situation, monkeypatch):
    monkeypatch.setattr("s3haul.progress.Screen.columns", 80)
    run = Run(Bars, Terminal(80))
    situation(run)
    assert not any("%" in row or "left" in row for row in run.stream.rows)
