"""Is this listing complete? Judges each ListObjectsV2 page against the ones before it. Pure.

S3 sends keys in UTF-8 byte order (which is also Python's order of str, code point by code point), so a
new key that does not ascend, a page that says "more" without saying where, or a 200 with nothing in it
means that keys are missing. SDK paginators end quietly on some of these; a run must not. Not a
client: pages come in as values. A key that is named again counts once.

Listings of versions (ListObjectVersions) have rules of their own, in the functions at the end: by key, of
each key the newest version first.
"""

from collections.abc import Collection, Iterable, Sequence
from itertools import groupby, islice, pairwise
from operator import attrgetter, lt

from s3haul.core.text import key_octets
from s3haul.errors import ListingIncompleteError
from s3haul.models import (
    E,
    Keyed,
    KeyPage,
    KeyVersions,
    ObjectRef,
    Outcome,
    State,
    UnusableEntry,
    VersionEntry,
    VersionPage,
)

MAX_PAGES_WITHOUT_NEWS = 1000
_KEY = attrgetter("key")
_VERSION_1 = (
    "Ask the server's operator for ListObjectsV2: an answer without NextContinuationToken and KeyCount is one of"
    " ListObjects, version 1, which gives no sure place to go on from."
)
_HINT = "Nothing was lost: run the same command again. If it repeats, the server's listing is faulty."
Marker = tuple[str, str | None]  # a key and a version, after which a page of versions begins


def unusable_outcome(entry: UnusableEntry) -> Outcome:
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
        # Keys of the last page; one further back would mean that the listing starts again.
        self._named: Collection[str] = ()
        self._token: str | None = None
        self._without_news = 0

    def accept(self, page: KeyPage[E]) -> list[E]:
        """The new entries of this page: ascending, each key once. Raises `ListingIncompleteError`."""
        self._check_frame(page)
        last, keys = self._last, list(map(_KEY, page.entries))
        named: Collection[str]
        if keys and (last is None or last < keys[0]) and all(map(lt, keys, islice(keys, 1, None))):
            fresh, named, last = list(page.entries), keys, keys[-1]
        else:
            fresh, named = self._without_repeated(page.entries)
            last = fresh[-1].key if fresh else last
        self._check_prefix(fresh, page.unusable)
        self._last, self._named, self._token = last, named, page.token
        self.last_key = _greatest(last, self.last_key, *(entry.key for entry in page.unusable))
        self._without_news = 0 if fresh or page.unusable else self._without_news + 1
        if page.truncated and self._without_news > MAX_PAGES_WITHOUT_NEWS:
            raise incomplete(f"{self._without_news} pages in a row brought no new key", after=last)
        return fresh

    def _without_repeated(self, entries: Iterable[E]) -> tuple[list[E], Collection[str]]:
        """The entries whose keys were not named yet, and these keys. Raises `ListingIncompleteError`."""
        fresh: list[E] = []
        named: set[str] = set()
        before, last = frozenset(self._named), self._last
        for ref in entries:
            if last is not None and ref.key <= last:
                if ref.key not in named and ref.key not in before:
                    raise incomplete("keys are not in ascending order", after=last)
                self.repeated += 1
                continue
            fresh.append(ref)
            last = ref.key
            named.add(last)
        return fresh, named

    def _check_prefix(self, fresh: Sequence[Keyed], unusable: Sequence[UnusableEntry]) -> None:
        """Keys that ascend lie below the prefix if the first and the last of them do."""
        keys = [ref.key for ref in (*fresh[:1], *fresh[-1:])] + [entry.key for entry in unusable]
        for key in keys:
            if not key.startswith(self._prefix):
                raise incomplete(
                    f"the server gives {key!a}, which does not begin with the prefix of the request",
                    after=self.last_key,
                )

    def _check_frame(self, page: KeyPage[E]) -> None:
        if page.empty_answer:
            raise incomplete("the answer has no listing in it", after=self.last_key)
        if page.key_count is not None and page.key_count != len(page.entries) + len(page.unusable):
            raise incomplete(
                f"the page announces {page.key_count} keys and has {len(page.entries) + len(page.unusable)}",
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


def check_version_frame(page: VersionPage, marker: Marker | None) -> None:
    """Raises `ListingIncompleteError` if the page does not say where the listing goes
    on. `marker` led to it."""
    after = marker[0] if marker else None
    if page.truncated and page.next_key is None:
        raise incomplete("the page says that more follows, but not where", after=after)
    if page.truncated and (page.next_key, page.next_version) == marker:
        raise incomplete("the marker repeats itself", after=after)


def versions_by_key(entries: Sequence[VersionEntry], *, more: bool) -> list[KeyVersions]:
    """The keys whose versions are all there: with `more`, all but the last one.
    Raises `ListingIncompleteError`.

    A version that is named twice counts once."""
    found: list[KeyVersions] = []
    for key, versions in groupby(entries, key=attrgetter("ref.key")):
        different: dict[str | None, VersionEntry] = {}
        for entry in versions:
            different.setdefault(entry.ref.version_id, entry)
        found.append(KeyVersions(key, tuple(different.values())))
    for before, after in pairwise(found):
        if after.key < before.key:
            raise incomplete("keys of versions are not in ascending order", after=before.key)
    return found[:-1] if more else found


def version_at(versions: KeyVersions, moment: float) -> ObjectRef | None:
    """The version that was the current one at `moment`, epoch seconds;
    None if there was none, or a delete marker."""
    for entry in versions.entries:
        if entry.ref.last_modified <= moment:
            return None if entry.deleted else entry.ref
    return None
