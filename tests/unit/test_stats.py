"""The counts of a run, and the exit code that follows from them."""

import pytest

from s3haul.core.stats import Stats
from s3haul.events import (
    AlreadyDone,
    CredentialsRenewed,
    Finished,
    Listed,
    ListingEnded,
    Received,
    Retrying,
    Warned,
)
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict


def finished(key, state, reason=None, verdict=None):
    checksum = Checksum("CRC32", "FULL_OBJECT", "x") if verdict is Verdict.VERIFIED else None
    ref = ObjectRef(key, 10, '"e"', 0.0)
    return Finished(Outcome(ref, state, key, reason, "detail", verdict=verdict, checksum=checksum))


def stats_of(*events):
    stats = Stats()
    for event in (*events, ListingEnded()):
        stats.observe(event)
    return stats


DONE = finished("a", State.DONE, verdict=Verdict.VERIFIED)
DENIED = finished("b", State.FAILED, "access-denied")
BROKEN = finished("b", State.FAILED, "network")
COLD = finished("c", State.SKIPPED, "archived")


@pytest.mark.parametrize(
    ("events", "code"),
    [
        ([], 0),
        ([Listed(1, 10, 0), DONE], 0),
        ([Listed(1, 10, 5), AlreadyDone(1, 10)], 0),
        ([Listed(2, 20, 0), DONE, COLD], 3),
        ([Listed(3, 30, 0), DONE, COLD, BROKEN], 1),
        ([Listed(2, 20, 0), DONE, DENIED], 1),
        ([Listed(1, 10, 0), DENIED], 4),
        ([Listed(2, 20, 0), DENIED, BROKEN], 1),
        ([Listed(2, 20, 0), DONE], 70),
        ([Listed(1, 10, 0), DONE, DONE], 70),
    ],
)
def test_the_exit_code_depends_on_the_counts(events, code):
    assert stats_of(*events).exit_code == code


def test_a_listing_that_did_not_end_never_balances():
    stats = Stats()
    assert not stats.balanced


def test_causes_are_grouped_and_keep_a_few_examples():
    many = [finished(f"k{n}", State.FAILED, "network") for n in range(10)]
    cause = stats_of(Listed(10, 100, 0), *many).failed["network"]
    assert (cause.count, cause.bytes, cause.keys, cause.detail) == (10, 100, ["k0", "k1", "k2"], "detail")


def test_bytes_of_a_discarded_attempt_are_subtracted():
    assert stats_of(Received(10), Received(-10), Received(4)).received == 4


def test_verdicts_algorithms_retries_renewals_and_warnings_are_counted():
    stats = stats_of(
        DONE,
        finished("s", State.DONE, verdict=Verdict.SIZE_ONLY),
        finished("dir/", State.DONE),
        Retrying("a", "throttled", "", 1, 0.1, everyone=True),
        CredentialsRenewed(50.0, 25.0, first=True),
        CredentialsRenewed(100.0, 75.0),
        Warned("careful"),
    )
    assert dict(stats.verdicts) == {"verified": 1, "size-only": 1}
    assert dict(stats.algorithms) == {"CRC32 FULL_OBJECT": 1}
    assert (dict(stats.retries), stats.renewals, stats.next_refresh) == ({"throttled": 1}, 1, 75.0)
    assert stats.warnings == ["careful"]
