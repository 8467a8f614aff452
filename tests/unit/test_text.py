"""`core.text`: text from outside is escaped, sizes and times are readable."""

import json
import math
import subprocess

import pytest

from s3haul.core.text import command_line, folded, human_bytes, human_count, human_duration, iso_time, show


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a/b c.txt", "a/b c.txt"),
        ("Grüße/日本語/🚀", "Grüße/日本語/🚀"),
        ("two\nlines\r\ttab", "two\\nlines\\r\\ttab"),
        ("\x1b[2J\x07\x00", "\\u001b[2J\\u0007\\u0000"),
        ("\x7f\x80\x9f", "\\u007f\\u0080\\u009f"),
        ("exe\u202etxt.\u2066x\u2069", "exe\\u202etxt.\\u2066x\\u2069"),
        ("line\u2028para\u2029", "line\\u2028para\\u2029"),
        ("\ud800x\udfff", "\\ud800x\\udfff"),
        ("dir\\file", "dir\\\\file"),
        ("", ""),
    ],
)
def test_controls_are_escaped_as_in_json_and_other_text_stays(text, shown):
    assert show(text) == shown


def test_every_character_that_could_move_the_cursor_or_the_reading_order_is_escaped():
    escaped = {code for code in range(0x11000) if show(chr(code)) != chr(code)}
    bidi = {*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029}
    assert escaped == {*range(0x20), 0x5C, *range(0x7F, 0xA0), *bidi, *range(0xD800, 0xE000)}


def test_a_command_to_paste_has_no_controls_and_a_shell_reads_the_same_words():
    words = [
        "-rf",
        "a b",
        "it's $(x)",
        "back\\slash",
        "tab\t'\\\nline\x1b[0m7",
        "\u202egnp",
        "é",
        "\udcff",
        "",
    ]
    line = command_line(["printf", r"%s\0", *words])
    assert show(line.replace("\\", "")) == line.replace("\\", "")
    read = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert read.decode("utf-8", "surrogateescape").split("\0")[:-1] == words


def test_different_texts_never_look_the_same():
    assert show("\n") != show("\\n")
    for code in range(0x3000):
        assert json.loads('"' + show(chr(code)).replace('"', '\\"') + '"') == chr(code)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1, "1 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (99.94 * 1024, "99.9 KiB"),
        (99.96 * 1024, "100 KiB"),
        (1023 * 1024, "1.0 MiB"),
        (5 * 1024**4, "5.0 TiB"),
        (3000 * 1024**6, "3000 EiB"),
        (12.4, "12 B"),
    ],
)
def test_sizes_are_shown_in_binary_units(size, text):
    assert human_bytes(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0.0 s"),
        (0.04, "0.0 s"),
        (0.44, "0.4 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (303, "5 min 03 s"),
        (3599.9, "1 h 00 min"),
        (7500, "2 h 05 min"),
        (273_600, "3 d 04 h"),
        (math.inf, "unknown"),
        (math.nan, "unknown"),
    ],
)
def test_durations_are_shown_in_their_two_largest_units(seconds, text):
    assert human_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1_700_000_000.0, "2023-11-14T22:13:20Z"),
        (1_700_000_000.25, "2023-11-14T22:13:20.250Z"),
        (1_700_000_000.1234567, "2023-11-14T22:13:20.123Z"),
        (253_402_300_799.9999, None),
        (0.0, None),
        (-1.0, None),
    ],
)
def test_times_for_programs_are_iso_8601_in_utc(seconds, text):
    assert iso_time(seconds) == text


def test_counts_have_separators_and_their_noun_a_plural():
    assert human_count(48_999) == "48,999"
    assert (human_count(1, "object"), human_count(0, "object")) == ("1 object", "0 objects")


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        ("short enough", ["short enough"]),
        (
            "            you: check the key, or run again",
            ["            you: check the key,", "            or run again"],
        ),
        (
            "  failed    1: the object was deleted meanwhile",
            ["  failed    1: the object was", "            deleted meanwhile"],
        ),
        ("x No such bucket: check the name of it", ["x No such bucket: check the name", "  of it"]),
        ("  Fix: give the profile an access key", ["  Fix: give the profile an", "       access key"]),
        ("  Resume: s3haul cp s3://bucket ./somewhere/else", None),
        ('  Statement: {"Sid": "x", "Effect": "Allow", "Action": "*"}', None),
        ("  1: KMS key arn:aws:kms:eu-central-1:111122223333:key/1", None),
        ("y" * 60, None),
    ],
)
def test_long_lines_are_cut_between_words_unless_they_are_for_copying(line, lines):
    assert folded(line, 32).split("\n") == (lines or [line])
