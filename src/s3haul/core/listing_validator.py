"""Is this listing complete? Judges each ListObjectsV2 page against the ones before it.

S3 sends keys in UTF-8 byte order (which is also Python's order of str, code point by code point), so a
new key that does not ascend, a page that says "more" without saying where, or a 200 with nothing in it
means that keys are missing. SDK paginators end quietly on some of these; a haul must not. Not a
client: pages come in as values. A key that is named again counts once.

Listings of versions have their own rules: by key, of each key the newest version first.
"""

from collections.abc import Iterable, Iterator, Sequence

from s3haul.core.text import key_octets
from s3haul.errors import ListingIncompleteError
from s3haul.models import ListPage, ObjectRef, Outcome, State, UnusableEntry, VersionEntry, VersionPage

MAX_BARREN_PAGES = 1000
_VERSION_1 = (
    "Ask the server's operator for ListObjectsV2: an answer without NextContinuationToken and KeyCount is one of"
    " ListObjects, version 1, which gives no sure place to go on from."
)
_HINT = "Nothing was lost: run the same command again. If it repeats, the server's listing is faulty."
MAX_BARREN_PAGES = 1000


def unusable(entry: UnusableEntry) -> Outcome:
    """The outcome of an entry that names no object which could be requested."""
    ref = ObjectRef(entry.key, 0, "", 0.0)
    return Outcome(ref, State.FAILED, reason="unusable-entry", detail=entry.detail, attempts=0)


class ListingValidator:
    """Accepts pages in order; remembers the last key and the token that led here.

    `after` is where the first page begins, if not at the first key; all keys must begin with `prefix`.
    """

    def __init__(self, prefix: str = "", *, after: str | None = None) -> None:
        self._prefix = prefix
        self.last_key = after  # of all entries so far, in the order of their bytes
        self.repeated = 0  # entries that named a key again
        self._last = after  # of the usable entries
        self._named: set[str] = set()  # by the last page; a key further back would mean that it starts again
        self._token: str | None = None
        self._barren = 0

    def accept(self, page: ListPage) -> list[ObjectRef]:
        """The new entries of this page: ascending, each key once. Raises `ListingIncompleteError`."""
        self._check_frame(page)
        fresh: list[ObjectRef] = []
        named: set[str] = set()
        last = self._last
        for ref in page.entries:
            if last is not None and ref.key <= last:
                if ref.key not in named and ref.key not in self._named:
                    raise incomplete("keys are not in ascending order", after=last)
                self.repeated += 1
                continue
            fresh.append(ref)
            last = ref.key
            named.add(last)
        self._check_prefix(fresh, page.unusable)
        self._last, self._named, self._token = last, named, page.token
        self.last_key = _greatest(last, self.last_key, *(entry.key for entry in page.unusable))
        self._barren = 0 if fresh or page.unusable else self._barren + 1
        if page.truncated and self._barren > MAX_BARREN_PAGES:
            raise incomplete(f"{self._barren} pages in a row brought no new key", after=last)
        return fresh

    def _check_prefix(self, fresh: list[ObjectRef], unusable: Sequence[UnusableEntry]) -> None:
        """Keys that ascend lie below the prefix if the first and the last of them do."""
        keys = [ref.key for ref in (*fresh[:1], *fresh[-1:])] + [entry.key for entry in unusable]
        for key in keys:
            if not key.startswith(self._prefix):
                raise incomplete(
                    f"the server gives {key!a}, which does not begin with the prefix that was asked for",
                    after=self.last_key,
                )

    def _check_frame(self, page: ListPage) -> None:
        if page.empty_answer:
            raise incomplete("the answer has no listing in it", after=self.last_key)
        if page.key_count is not None and page.key_count != len(page.entries) + len(page.unusable):
            raise incomplete(
                f"the page announces {page.key_count} keys and holds {len(page.entries) + len(page.unusable)}",
                after=self.last_key,
            )
        if page.truncated and not page.token:
            what = "the page says that more follows, but not where"
            raise incomplete(
                what, after=self.last_key, hint=_HINT if page.key_count is not None else _VERSION_1
            )
        if page.truncated and page.token == self._token:
            raise incomplete("the continuation token repeats itself", after=self.last_key)


def _greatest(*keys: str | None) -> str | None:
    """The last one in the order of S3, which is that of the bytes, also of those that are no UTF-8."""
    return max((key for key in keys if key is not None), key=key_octets, default=None)


def incomplete(what: str, *, after: str | None, hint: str = _HINT) -> ListingIncompleteError:
    """The error that ends the run; `after` is the last key that was seen."""
    place = "on the first page" if after is None else f"after key {after!a}"
    return ListingIncompleteError(f"The listing is incomplete: {what} ({place}).", hint=hint)


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
