"""Text for people: the one escaping for anything that came from outside, counts, sizes and durations. And the
bytes of keys that are not UTF-8 (`key_octets`, `is_text`).

Keys, error messages and headers are chosen by others. Shown raw they can forge log lines, drive a
terminal or reverse the reading order, so every such text passes `show` on its way to a person. JSON
output has its own escaping and does not need it.
"""

import math
import re
import shlex
from collections.abc import Iterable
from datetime import UTC, datetime
from textwrap import wrap
from typing import Any

# C0, DEL and C1, line and paragraph separator, bidi embedding and isolate controls, lone surrogates (which no
# stream can encode).
_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
_CONTROL = re.compile(f"[{_CONTROLS}]")
_UNSAFE = re.compile(rf"[\\{_CONTROLS}]")  # the escape character too
_SHORT = {"\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}

# The mark at the start of a line, or after the (dryrun) of one.
_MARK = re.compile(r"^((?:\(dryrun\))? *)(x|!|failed|skipped)(?= )", re.MULTILINE)
_COLOURS = {"x": "31", "failed": "31", "!": "33", "skipped": "33"}

_COPIED = re.compile(r"s3haul [a-z]|[{}]|://|arn:")
# What comes before a line's words.
_BEGIN = re.compile(r" *(?:[a-z!-]+ {2,}|(?:[x!]|Fix:|AWS said:|Seen:) )?")
_WHOLE_WORDS: dict[str, Any] = {
    "break_long_words": False,
    "break_on_hyphens": False,
    "replace_whitespace": False,
}

_CODED = re.compile(r"(?:[A-Z][\w.]+|\d{3}): ", re.ASCII)

_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_YEAR_10000 = 253402300800  # seconds since 1970


def show(text: str) -> str:
    """`text` on one line, harmless to a terminal and a log, with JSON's escapes for what is not.

    Ordinary Unicode stays as it is. The backslash is doubled, so that two texts never look the same.
    """
    return _UNSAFE.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT.get(char) or f"\\u{ord(char):04x}"


def command_line(words: Iterable[str]) -> str:
    """The words as a command to paste into a shell, harmless to a terminal.

    A word with controls is written as $'...', which bash, zsh and ksh read:
    escaped with `show` it would be another word.
    """
    return " ".join(_ansi_c(word) if _CONTROL.search(word) else shlex.quote(word) for word in words)


def _ansi_c(word: str) -> str:
    def octal(match: re.Match[str]) -> str:
        return "".join(f"\\{byte:03o}" for byte in match[0].encode("utf-8", "surrogateescape"))

    text = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{_CONTROL.sub(octal, text)}'"


def colour_mark(text: str) -> str:
    """`text` with the marks of its lines in colour: x (an error) in red, ! (a warning) in yellow."""
    return _MARK.sub(lambda match: f"{match[1]}\x1b[{_COLOURS[match[2]]}m{match[2]}\x1b[0m", text)


def folded(text: str, columns: int) -> str:
    """`text` with its long lines cut between words, aligned with where their words begin.

    Lines that contain a command, a document or an address stay whole: they are for copying.
    """
    return "\n".join(
        line if len(line) <= columns or _COPIED.search(line) else _fold(line, columns)
        for line in text.split("\n")
    )


def _fold(line: str, columns: int) -> str:
    begin = _BEGIN.match(line)
    indent = " " * (begin.end() if begin else 0)
    return "\n".join(wrap(line, columns, subsequent_indent=indent, **_WHOLE_WORDS))


def quote(sentence: str) -> str:
    """What a service or a library said, with who said it: the services' errors begin with their code."""
    return f"{'AWS said' if _CODED.match(sentence) else 'Seen'}: {show(sentence)}"


def human_count(n: int, noun: str = "") -> str:
    """A count with thousands separators, and with a noun that takes an s: `1 object`, `20,000 objects`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}" if noun else f"{n:,}"


def human_bytes(n: float) -> str:
    """A byte count in binary units, at most three digits before the unit: `0 B`, `1.5 KiB`, `312 MiB`."""
    if n < 1024:
        return f"{n:.0f} B"
    value = float(n)
    for unit in _UNITS:
        value /= 1024
        if value < 999.5 or unit == _UNITS[-1]:
            break
    return f"{value:.1f} {unit}" if value < 99.95 else f"{value:.0f} {unit}"


def human_duration(seconds: float) -> str:
    """A span of time in its two largest units: `0.4 s`, `42 s`, `5 min 03 s`, `2 h 05 min`, `3 d 04 h`.

    `unknown` for what is not a number, such as an estimate divided by a rate of zero.
    """
    if not math.isfinite(seconds):
        return "unknown"
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02d} s"
    if whole < _DAY:
        return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE:02d} min"
    return f"{whole // _DAY} d {whole % _DAY // _HOUR:02d} h"


def iso_time(seconds: float) -> str | None:
    """A moment in seconds since 1970 as all outputs for programs have it: `2026-01-02T03:04:05Z`, with
    milliseconds if there are any; None if it is unknown, or after the year 9999."""
    seconds = round(seconds, 3)
    if not 0 < seconds < _YEAR_10000:
        return None
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds") + "Z"


def key_octets(key: str) -> bytes:
    """The bytes of the key; their order is that of S3."""
    return key.encode("utf-8", "surrogateescape")


def is_text(key: str) -> bool:
    """Whether the bytes of the key are UTF-8; others are lone surrogates in it."""
    return key.isascii() or not any("\ud800" <= character <= "\udfff" for character in key)
