"""The summary: short for a good run, complete for a bad one."""

import pytest

from s3haul.cli.dry_run import estimate_lines
from s3haul.cli.summary import Summary
from s3haul.core.stats import Stats
from s3haul.core.text import colour_mark, quote
from s3haul.engine.dry_run import Estimate
from s3haul.events import AlreadyDone, Finished, Listed, ListingEnded, PartialsKept
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

MIB = 1 << 20
ROOT = "./my data"


def done(key="k", size=MIB, fetched=MIB, path=None):
    checksum = Checksum("CRC32", "FULL_OBJECT", "x")
    ref = ObjectRef(key, size, '"e"', 0.0)
    return Finished(
        Outcome(ref, State.DONE, path or key, verdict=Verdict.VERIFIED, checksum=checksum, fetched=fetched)
    )


def failed(reason, detail):
    return Finished(Outcome(ObjectRef("bad", 1, '"e"', 0.0), State.FAILED, "bad", reason, detail))


def summary(*events, ended=True):
    stats = Stats()
    for event in (*events, *([ListingEnded()] if ended else [])):
        stats.observe(event)
    found = Summary(stats=stats, error=None, seconds=2.0, url="s3://b/", root=ROOT)
    return list(found.lines())[1:], found.as_object()


def test_a_run_again_says_that_there_is_nothing_new():
    lines, found = summary(Listed(20_000, 20_000 * MIB, 0), AlreadyDone(20_000, 20_000 * MIB))
    assert lines == [
        "  unchanged nothing new: 20,000 objects already here and unchanged, 19.5 GiB, checked in 2.0 s",
        "  manifest  s3haul manifest './my data'",
        "  report    s3haul report './my data'",
    ]
    assert found["unchanged"] == {"objects": 20_000, "bytes": 20_000 * MIB}


def test_a_run_that_selects_nothing_shows_no_rate():
    lines, _ = summary(Listed(0, 0, 20))
    assert lines[:2] == ["  done      nothing: no object is selected", "  filtered  20 objects"]


def test_directories_have_no_verdict_and_a_line_of_their_own():
    marker = Finished(Outcome(ObjectRef("d/", 0, '"e"', 0.0), State.DONE, "d"))
    lines, found = summary(Listed(3, MIB, 0), done(), marker, marker)
    assert lines[1:3] == [
        "  verified  1 object (CRC32 FULL_OBJECT: 1)",
        "  empty     2 directories: keys that end in a slash, without bytes",
    ]
    assert found["done"]["objects"] == sum(found["verdicts"].values()) + found["directories"] == 3


def test_files_found_in_place_count_neither_as_fetched_nor_for_the_rate():
    lines, found = summary(Listed(3, 3 * MIB, 0), done(), done(fetched=0), done(fetched=0))
    assert lines[:3] == [
        "  done      1 object, 1.0 MiB in 2.0 s (0 objects/s, 512 KiB/s)",
        "  in place  2 objects, 2.0 MiB, were already here and were not fetched",
        "  verified  3 objects (CRC32 FULL_OBJECT: 3)",
    ]
    assert found["found_in_place"] == {"objects": 2, "bytes": 2 * MIB}
    assert found["done"]["objects"] == 3


def test_replaced_files_encoded_names_and_partial_objects_are_shown():
    lines, found = summary(
        Listed(2, 2 * MIB, 0, replacing=1), done(), done(path="~s3haul~=x"), PartialsKept(3, 40 * MIB)
    )
    assert "  replaced  1 file that differed from the object" in lines
    assert "  encoded   1 name that cannot be a file name; see s3haul help names" in lines
    assert "  kept      40.0 MiB of 3 objects, incomplete, for the next run" in lines
    assert (found["replaced"], found["encoded"]) == (1, 1)
    assert found["in_part"] == {"objects": 3, "bytes": 40 * MIB}


def test_a_run_that_was_cut_short_does_not_claim_to_have_replaced_every_file():
    lines, _ = summary(Listed(5, 5 * MIB, 0, replacing=5), ended=False)
    assert "  replaced  up to 5 files that differed from the object" in lines


def test_the_summary_shows_a_command_to_list_failed_keys_and_who_wrote_a_message():
    lines, _ = summary(
        Listed(2, 2, 0),
        failed("access-denied", "AccessDenied: not authorized"),
        failed("network", "the connection was lost"),
    )
    assert "            AWS said: AccessDenied: not authorized" in lines
    assert "            Seen: the connection was lost" in lines
    assert "  list them s3haul manifest './my data' --state failed" in lines


@pytest.mark.parametrize(
    ("said", "speaker"),
    [
        ("AccessDenied: no", "AWS said"),
        ("KMS.DisabledException: x", "AWS said"),
        ("503: Slow Down", "AWS said"),
        ("Cannot connect to host", "Seen"),
        ("it changed 3 times", "Seen"),
    ],
)
def test_only_messages_with_an_error_code_are_attributed_to_aws(said, speaker):
    assert quote(said) == f"{speaker}: {said}"


def test_marks_are_coloured_and_nothing_else_is():
    text = "x one\n  ! two\nfailure x\n  failed    3\n(dryrun) ! room"
    assert colour_mark(text) == (
        "\x1b[31mx\x1b[0m one\n  \x1b[33m!\x1b[0m two\nfailure x\n  \x1b[31mfailed\x1b[0m    3\n"
        "(dryrun) \x1b[33m!\x1b[0m room"
    )


def test_a_dry_run_shows_a_time_only_if_the_rate_is_known():
    estimate = Estimate(
        objects=1300, bytes=600 * MIB, unchanged=300, needed_bytes=600 * MIB, free_bytes=1 << 40
    )
    estimate.free_files = 10_000
    known, unknown = list(estimate_lines(estimate, 10.0 * MIB)), list(estimate_lines(estimate, None))
    assert "(dryrun) 300 of them are already here, according to the journal" in unknown
    assert set(known) - set(unknown) == {"(dryrun) time: about 1 min 00 s at the 10.0 MiB/s of earlier runs"}
    assert set(unknown) - set(known) == {"(dryrun) time: about 5.0 s at 1 Gbit/s"}
