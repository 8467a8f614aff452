"""The parts of an object from the pages of GetObjectAttributes, whichever transport fetches these."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import PartLayout
from s3haul.s3 import responses

PARTS_PER_PAGE = 1000
MOST_PARTS = 10_000
ATTRIBUTES = ("Checksum", "ObjectParts", "ObjectSize")

_NOT_ABOUT_PARTS = frozenset({"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "RequestTimeout"})
_NO_LAYOUT = frozenset({"AccessDenied", "NotImplemented", "MethodNotAllowed"})

# One page behind this part number (None: the first), in the shape that botocore parses it to.
AskPage = Callable[[int | None], Awaitable[Mapping[str, Any]]]


async def read_layout(ask: AskPage) -> PartLayout | None:
    """All pages as one layout; None where the server or the rights give none. Raises `StoreError`."""
    pages: list[Mapping[str, Any]] = []
    marker: int | None = None
    while True:
        try:
            page = await ask(marker)
        except StoreError as error:
            if _tells_no_layout(error.fault):
                return None
            raise
        pages.append(page)
        parts = page.get("ObjectParts", {})
        following = parts.get("NextPartNumberMarker")
        advances = following is not None and (marker or 0) < following <= MOST_PARTS
        if not parts.get("IsTruncated") or not advances:
            return responses.part_layout(pages)
        marker = following


def _tells_no_layout(fault: Fault) -> bool:
    refused = fault.code in _NO_LAYOUT or (fault.status == 400 and fault.code not in _NOT_ABOUT_PARTS)
    return fault.kind is FaultKind.HTTP and refused
