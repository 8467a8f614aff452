"""All versions of a bucket, page by page: is the listing complete, and which version was there at a moment? Pure.

S3 sends versions and delete markers by key, of each key the newest first. As for a plain listing, a page that goes back
or that says "more" without saying where means that something is missing.
"""

from collections.abc import Iterable, Iterator

from s3haul.errors import ListingIncompleteError
from s3haul.models import ObjectRef, VersionEntry, VersionPage

MAX_BARREN_PAGES = 1000


class VersionCheck:
    """Accepts pages in order; remembers the last key and the marker that led here."""

    def __init__(self) -> None:
        self.last_key = ""
        self._seen: set[str] = set()  # versions of the last key
        self._marker: tuple[str | None, str | None] | None = None
        self._barren = 0

    def accept(self, page: VersionPage) -> list[VersionEntry]:
        """The new entries of this page. Raises `ListingIncompleteError`."""
        if page.empty_answer:
            raise _incomplete("the answer has no listing in it", self.last_key)
        if page.truncated and page.next_key is None:
            raise _incomplete("the page says that more follows, but not where", self.last_key)
        marker = (page.next_key, page.next_version)
        if page.truncated and marker == self._marker:
            raise _incomplete("the marker repeats itself", self.last_key)
        fresh = list(self._fresh(page.entries))
        self._marker = marker
        self._barren = 0 if fresh or page.unusable else self._barren + 1
        if page.truncated and self._barren > MAX_BARREN_PAGES:
            raise _incomplete(f"{self._barren} pages in a row brought nothing new", self.last_key)
        return fresh

    def _fresh(self, entries: Iterable[VersionEntry]) -> Iterator[VersionEntry]:
        for entry in entries:
            key, version = entry.ref.key, entry.ref.version_id or ""
            if key < self.last_key:
                raise _incomplete("keys are not in ascending order", self.last_key)
            if key > self.last_key:
                self.last_key, self._seen = key, set()
            if version not in self._seen:
                self._seen.add(version)
                yield entry


class PointInTime:
    """Of each key the version that was the current one at `moment`, epoch seconds; none where that is a delete marker.

    Entries come in the order of S3. Holds one of them.
    """

    def __init__(self, moment: float) -> None:
        self._moment = moment
        self._key = ""
        self._found: VersionEntry | None = None

    def push(self, entry: VersionEntry) -> ObjectRef | None:
        """Take the next entry; the version of the key before, once that is settled."""
        settled = self.flush() if entry.ref.key != self._key else None
        self._key = entry.ref.key
        if entry.ref.last_modified <= self._moment and self._found is None:
            self._found = entry
        return settled

    def flush(self) -> ObjectRef | None:
        """The version of the last key."""
        found, self._found = self._found, None
        return None if found is None or found.deleted else found.ref


def _incomplete(what: str, after: str) -> ListingIncompleteError:
    place = f"after key {after!a}" if after else "on the first page"
    return ListingIncompleteError(
        f"The listing of the versions is incomplete: {what} ({place}).",
        hint="Nothing was lost: run the same command again. If it repeats, the server's listing is faulty.",
    )
