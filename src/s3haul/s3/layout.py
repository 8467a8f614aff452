"""Reads the parts of an object with GetObjectAttributes, page by page. Used by both transports."""

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

# Fetches the page after this part number (None: the first page), in the form that botocore returns.
AskPage = Callable[[int | None], Awaitable[Mapping[str, Any]]]


async def read_layout(ask: AskPage) -> PartLayout | None:
    """Fetch all pages. None if the server does not support them, or permission is missing. Raises `StoreError`."""
    pages: list[Mapping[str, Any]] = []
    marker: int | None = None
    while True:
        try:
            page = await ask(marker)
        except StoreError as error:
            if _means_no_layout(error.fault):
                return None
            raise
        pages.append(page)
        parts = page.get("ObjectParts", {})
        following = parts.get("NextPartNumberMarker")
        # A marker that does not increase would make this loop endless.
        advances = following is not None and (marker or 0) < following <= MOST_PARTS
        if not parts.get("IsTruncated") or not advances:
            return responses.part_layout(pages)
        marker = following


def _means_no_layout(fault: Fault) -> bool:
    refused = fault.code in _NO_LAYOUT or (fault.status == 400 and fault.code not in _NOT_ABOUT_PARTS)
    return fault.kind is FaultKind.HTTP and refused
