"""A page of all versions (ListObjectVersions) from its XML. Pure; strict as `list_pages`.

Versions and delete markers stand in one order, that of S3: by key, of each key the newest first.
"""

from xml.etree import ElementTree as ET

from s3haul.models import UnusableEntry, VersionEntry, VersionPage
from s3haul.s3.documents import Document
from s3haul.s3.list_pages import decoded_key, entry_of

_MEMBERS = ("Name", "MaxKeys", "IsTruncated", "Version", "DeleteMarker", "KeyMarker")


def version_page(page: Document) -> VersionPage:
    """The page's contents. A document without any of its elements was no listing at all. Raises ValueError for an
    entry without a key or a version."""
    encoded = page.text("EncodingType") == "url"
    version, marker = page.space + "Version", page.space + "DeleteMarker"
    entries: list[VersionEntry] = []
    unusable: list[UnusableEntry] = []
    for element in page.root:
        if element.tag in {version, marker}:
            entry = _entry(element, page.space, encoded=encoded, deleted=element.tag == marker)
            if isinstance(entry, VersionEntry):
                entries.append(entry)
            else:
                unusable.append(entry)
    next_key = page.text("NextKeyMarker")
    if next_key and encoded:
        next_key, _ = decoded_key(next_key)
    return VersionPage(
        entries=tuple(entries),
        truncated=bool(next_key) or (page.text("IsTruncated") or "").strip().lower() == "true",
        next_key=next_key or None,
        next_version=page.text("NextVersionIdMarker") or None,
        empty_answer=not any(page.has(name) for name in _MEMBERS),
        unusable=tuple(unusable),
    )


def _entry(element: ET.Element, space: str, *, encoded: bool, deleted: bool) -> VersionEntry | UnusableEntry:
    entry = entry_of(element, space, encoded=encoded, size_if_none="0" if deleted else "")
    if isinstance(entry, UnusableEntry):
        return entry
    version_id = element.findtext(space + "VersionId")
    if not version_id:
        raise ValueError("a version without an id")
    latest = element.findtext(space + "IsLatest") == "true"
    return VersionEntry(entry._replace(version_id=version_id), latest, deleted)
