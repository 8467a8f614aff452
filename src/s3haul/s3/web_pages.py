"""Detects responses that do not come from S3, but from a proxy, a web filter or a captive portal. Pure.

S3 and STS respond in XML or JSON, also to errors. A status that means "try later" is accepted with any body, because a
load balancer in front of a store may send it.
"""

import html
import re
from collections.abc import Mapping

from s3haul.errors import Fault, FaultKind

_IN_BETWEEN = frozenset({407, 511})  # proxy and network authentication required
_LATER = frozenset({408, 425, 429})
_REFUSED = frozenset({403, 451})
_ERRORS = (b"<?xml", b"<Error", b"\xef\xbb\xbf<", b"{")  # how error documents of S3 and STS begin
_START = re.compile(rb"\s*(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TITLE = re.compile(rb"<(title|h1)\b[^>]*>(.*?)</\1", re.IGNORECASE | re.DOTALL)
_TAG = re.compile(r"<[^>]*>")
_LONGEST_TITLE = 100  # characters
_SEARCHED = 16 << 10  # bytes


def interception(status: int, headers: Mapping[str, str], body: bytes) -> Fault | None:
    """The fault of a response that an intermediary sent; None for any other. Header names are in lower case."""
    if status not in _IN_BETWEEN and (
        status in _LATER or status >= 500 or not _is_page(status, headers, body)
    ):
        return None
    sender = headers.get("server") or headers.get("via") or ""
    title = _title(body)
    shown = (f" titled {title!r}" if title else "") + (f" from {sender!r}" if sender else "")
    return Fault(FaultKind.INTERCEPTED, f"HTTP {status} with a web page{shown}", status=status)


def _is_page(status: int, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the body is a web page. The content type alone is not enough: some stores send text/html with XML errors
    and with empty bodies."""
    kind, said = headers.get("content-type", "").lower(), body.strip()
    if _START.match(body):
        return True
    if not said or said.startswith(_ERRORS):
        return False
    return kind.startswith(("text/html", "application/xhtml")) or (
        kind.startswith("text/plain") and status in _REFUSED
    )


def _title(body: bytes) -> str:
    found = _TITLE.search(body[:_SEARCHED])
    text = found[2] if found else b"" if _START.match(body) else body[:_SEARCHED]
    plain = html.unescape(_TAG.sub(" ", text.decode("utf-8", "replace")))
    return " ".join(plain.split())[:_LONGEST_TITLE]
