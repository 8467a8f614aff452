"""Sizes, spans of time and moments as people write them. Pure: what time it is comes in.

All return None for what is none.
"""

import re
from datetime import UTC, datetime

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgtp]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SPAN = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[smhdw])+", re.ASCII)
_PIECE = re.compile(r"([\d.]+)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def parse_size(text: str) -> int | None:
    """Bytes: "0", "10MB", "1.5GiB", "500K"; a K is 1,024."""
    match = _SIZE.fullmatch(text.strip())
    return None if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])


def parse_span(text: str) -> float | None:
    """Seconds: "90s", "30m", "36h", "7d", "2w", "1h30m"."""
    text = text.strip().lower()
    if not _SPAN.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))


def parse_moment(text: str, now: float) -> float | None:
    """Epoch seconds: a span before `now`, or a date or time in ISO 8601, of UTC unless it names another zone."""
    span = parse_span(text)
    if span is not None:
        return now - span
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
