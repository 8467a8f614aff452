"""Sizes, spans and moments as people write them."""

import pytest

from s3haul.cli.selection import parse_moment, parse_size, parse_span
from s3haul.errors import UsageError

NOW = 1_800_000_000.0


def value_of(parse, text, **options):
    """None if it is refused with the name of the flag."""
    try:
        return parse("--flag", text, **options)
    except UsageError as error:
        return None if "--flag" in error.message else error


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("1", 1),
        ("10MB", 10 << 20),
        ("10 MiB", 10 << 20),
        ("1.5g", 3 << 29),
        ("2T", 2 << 40),
        ("", None),
        ("-1", None),
        ("10X", None),
        ("1e9", None),
        ("\u0661", None),
        ("9" * 400, None),
    ],
)
def test_a_size_is_a_number_with_a_unit(text, size):
    assert value_of(parse_size, text) == size


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90),
        ("1h30m", 5400),
        ("7d", 604_800),
        ("2W", 1_209_600),
        ("0.5h", 1800),
        ("7", None),
        ("d", None),
    ],
)
def test_a_span_is_numbers_with_units(text, seconds):
    assert value_of(parse_span, text) == seconds


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1h", NOW - 3600),
        ("1970-01-02", 86_400),
        ("1970-01-01T01:00:00Z", 3600),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T01:00:00", 3600),
        ("yesterday", None),
        ("2026-13-01", None),
        ("12026-01-01", None),
    ],
)
def test_a_moment_is_a_span_before_now_or_a_time_of_utc(text, moment):
    assert value_of(parse_moment, text, now=NOW) == moment
