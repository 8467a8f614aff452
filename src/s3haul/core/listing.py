"""Is this listing complete? Judges each ListObjectsV2 page against the ones before it.

S3 sends keys in UTF-8 byte order (which is also Python's order of str, code point by code point), so a
key that does not ascend, a page that says "more" without saying where, or a 200 with nothing in it
means that keys are missing. SDK paginators end quietly on some of these; a haul must not. Not a
client: pages come in as values.
"""

from s3haul.errors import ListingIncompleteError
from s3haul.models import ListPage, ObjectRef

MAX_BARREN_PAGES = 1000
_HINT = "Nothing was lost: run the same command again. If it repeats, the server's listing is faulty."


class ListingJudge:
    """Accepts pages in order; remembers the last key and the token that led here."""

    def __init__(self) -> None:
        self.last_key: str | None = None
        self._token: str | None = None
        self._barren = 0

    def accept(self, page: ListPage) -> list[ObjectRef]:
        """The new entries of this page: ascending, each key once. Raises `ListingIncompleteError`."""
        self._check_frame(page)
        fresh = []
        last = self.last_key
        for ref in page.entries:
            if last is not None and ref.key <= last:
                if ref.key == last:
                    continue
                raise _incomplete("keys are not in ascending order", after=last)
            fresh.append(ref)
            last = ref.key
        self.last_key = last
        self._barren = 0 if fresh else self._barren + 1
        if page.truncated and self._barren > MAX_BARREN_PAGES:
            raise _incomplete(f"{self._barren} pages in a row brought no new key", after=last)
        self._token = page.token
        return fresh

    def _check_frame(self, page: ListPage) -> None:
        if page.empty_answer:
            raise _incomplete("the answer has no listing in it", after=self.last_key)
        if page.key_count is not None and page.key_count != len(page.entries):
            raise _incomplete(
                f"the page announces {page.key_count} keys and holds {len(page.entries)}", after=self.last_key
            )
        if page.truncated and not page.token:
            raise _incomplete("the page says that more follows, but not where", after=self.last_key)
        if page.truncated and page.token == self._token:
            raise _incomplete("the continuation token repeats itself", after=self.last_key)


def _incomplete(what: str, *, after: str | None) -> ListingIncompleteError:
    place = "on the first page" if after is None else f"after key {after!a}"
    return ListingIncompleteError(f"The listing is incomplete: {what} ({place}).", hint=_HINT)
