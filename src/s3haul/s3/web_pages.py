"""Answers that are no answers of S3: the page of a proxy, a filter or a captive portal. Pure.

S3 and STS answer in XML or JSON, errors too. A status that says "later" is believed whatever its body, since a
load balancer in front of a store may send it.
"""

import html
import re
from collections.abc import Mapping

from s3haul.errors import Fault, FaultKind

_IN_BETWEEN = frozenset({407, 511})  # proxy and network authentication required
_LATER = frozenset({408, 425, 429})
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_LONGEST_TITLE = 100  # characters
_SEARCHED = 16 << 10  # bytes


def interception(status: int, headers: Mapping[str, str], body: bytes) -> Fault | None:
    """The fault of an answer that somebody in between gave, None for any other. Header names are in lower case."""
    if status not in _IN_BETWEEN and (status in _LATER or status >= 500 or not _is_html(headers, body)):
        return None
    sender = headers.get("server") or headers.get("via") or ""
    shown = "".join(
        (f" titled {title!r}" if (title := _title(body)) else "", f" from {sender!r}" if sender else "")
    )
    return Fault(FaultKind.INTERCEPTED, f"HTTP {status} with a web page{shown}", status=status)


def _is_html(headers: Mapping[str, str], body: bytes) -> bool:
    """A content type alone is not enough: some stores give one to errors in XML, and to answers without a body."""
    return _START.match(body) is not None or (
        headers.get("content-type", "").lower().startswith(("text/html", "application/xhtml"))
        and bool(body.strip())
        and not body.lstrip().startswith((b"<?xml", b"<Error", b"<ErrorResponse", b"{"))
    )


def _title(body: bytes) -> str:
    found = _TITLE.search(body[:_SEARCHED])
    if found is None:
        return ""
    return " ".join(html.unescape(_TAG.sub(" ", found[2].decode("utf-8", "replace"))).split())[
        :_LONGEST_TITLE
    ]
