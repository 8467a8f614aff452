"""Parses single fields of lists: keys, buckets, sizes, times. Pure; all functions raise ValueError.

The messages follow the name of the file and the line.
"""

from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from s3haul.sources.rows import LONGEST_KEY

_MOST_DIGITS = 15
_TIMES = (0.0, 253402300800.0)  # up to the year 10000


def key(text: str, *, encoded: bool) -> str:
    """A key. If `encoded`, it is URL-encoded as in lists of S3, where + is a space."""
    found = text
    if encoded and ("%" in text or "+" in text):
        try:
            found = unquote_to_bytes(text.replace("+", " ")).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the key {text[:80]!a} is not UTF-8 text after decoding") from None
    if not found:
        raise ValueError("the key is empty")
    try:
        size = len(found.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the key {found[:80]!a} is not UTF-8 text") from None
    if size > LONGEST_KEY:
        raise ValueError(f"the key {found[:80]!a}... has more than {LONGEST_KEY:,} bytes")
    return found


def check_bucket(named: str, bucket: str) -> None:
    """Refuses a row of another bucket."""
    if named != bucket:
        raise ValueError(f"it names the bucket {named[:80]!a}, and the source is {bucket}")


def size(value: object) -> int | None:
    """Bytes; None if the field is empty."""
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!a} is not a size")
    return int(text)


def etag(value: object) -> str:
    """With its quotes; "" if the field is empty."""
    text = "" if value is None else str(value).strip('"')
    if len(text) > 200 or not text.isascii() or not text.isprintable() or '"' in text:
        raise ValueError(f"{text[:40]!a} is not an ETag")
    return f'"{text}"' if text else ""


def timestamp(value: object) -> float:
    """Epoch seconds of an ISO 8601 text (UTC if it has no time zone) or of a datetime; 0.0 if the field is empty."""
    if value is None or value == "":
        return 0.0
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{str(value)[:40]!a} is not a time") from None
    if not _TIMES[0] <= seconds < _TIMES[1]:
        raise ValueError(f"{str(value)[:40]!a} is not the time of an object")
    return seconds


def short_text(value: object, what: str) -> str:
    """A short printable text, such as a storage class or a version; "" if the field is empty."""
    text = "" if value is None else str(value)
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text[:40]!a} is not a {what}")
    return text
