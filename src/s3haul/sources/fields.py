"""Single fields of lists, as strangers write them: keys, buckets, sizes, times. Pure; all raise ValueError.

The messages go into a sentence behind the name of the file and the line.
"""

from datetime import UTC, datetime
from urllib.parse import unquote_to_bytes

from s3haul.sources.rows import LONGEST_KEY

_MOST_DIGITS = 15
_TIMES = (0.0, 253402300800.0)  # up to the year 10000


def key(text: str, *, encoded: bool) -> str:
    """A key; `encoded` ones as S3 encodes them in its own lists, where + is a space."""
    found = text
    if encoded and ("%" in text or "+" in text):
        try:
            found = unquote_to_bytes(text.replace("+", " ")).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the key {text[:80]!a} is no UTF-8 text behind its encoding") from None
    if not found:
        raise ValueError("the key is empty")
    try:
        size = len(found.encode())
    except UnicodeEncodeError:
        raise ValueError(f"the key {found[:80]!a} is no UTF-8 text") from None
    if size > LONGEST_KEY:
        raise ValueError(f"the key {found[:80]!a}... has more than {LONGEST_KEY:,} bytes")
    return found


def own_bucket(named: str, bucket: str) -> None:
    """Refuses a row of another bucket: the list is not one of this source."""
    if named != bucket:
        raise ValueError(f"it names the bucket {named[:80]!a}, and the source is {bucket}")


def size(value: object) -> int | None:
    """Bytes; None where nothing is given."""
    if value is None or value == "":
        return None
    text = str(value)
    if isinstance(value, bool) or len(text) > _MOST_DIGITS or not (text.isascii() and text.isdecimal()):
        raise ValueError(f"{text[:40]!a} is no size")
    return int(text)


def etag(value: object) -> str:
    """With its quotes; "" where nothing is given."""
    text = "" if value is None else str(value).strip('"')
    if len(text) > 200 or not text.isascii() or not text.isprintable() or '"' in text:
        raise ValueError(f"{text[:40]!a} is no ETag")
    return f'"{text}"' if text else ""


def moment(value: object) -> float:
    """Epoch seconds of an ISO 8601 text, UTC unless it names another zone, or of a datetime; 0.0 for none."""
    if value is None or value == "":
        return 0.0
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
        seconds = (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise ValueError(f"{str(value)[:40]!a} is no time") from None
    if not _TIMES[0] <= seconds < _TIMES[1]:
        raise ValueError(f"{str(value)[:40]!a} is no time of an object")
    return seconds


def word(value: object, what: str) -> str:
    """A short printable text, such as a storage class or a version; "" where nothing is given."""
    text = "" if value is None else str(value)
    if len(text) > 1024 or not text.isascii() or not text.isprintable():
        raise ValueError(f"{text[:40]!a} is no {what}")
    return text
