"""Where a run's objects come from, if not from the listing: what a list names,
looked up as far as it does not say.

The rows of a list become what the listing would have said of the same objects, in the same order. Where a row
does not say all of that, S3 is asked (HEAD, many at a time); also for archived objects, which may have been
restored. An inventory report that lies in S3 is fetched file by file, each verified as any object is, then by
the report's MD5.
"""

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from s3haul.concurrency import in_thread, together
from s3haul.core.filters import key_selector
from s3haul.core.key_ranges import Interval, KeyRange, ListedPage, just_after
from s3haul.core.text import human_count
from s3haul.diagnose.reasons import DENIED, run_error
from s3haul.engine.context import ReadContext
from s3haul.engine.stream import read_object
from s3haul.engine.target import Target, not_done
from s3haul.errors import Fault, FaultKind, SourceError
from s3haul.events import Changed, Noted, Warned
from s3haul.models import ARCHIVED, ObjectRef, Outcome, State, same_etag
from s3haul.sources.inventory import CHECKSUM, MANIFEST, DataFile, md5, refused
from s3haul.sources.rows import PAGE, ObjectRow, RowSource, SortedRows
from s3haul.store.protocol import Chunk, HeadRequest
from s3haul.store.retrying import GaveUpError

VANISHED = "vanished"
MANY = 100  # objects


class ListedObjects:
    """`context.ObjectSource` of a list: objects that were there when it was written,
    and perhaps others beside them."""

    def __init__(self, rows: RowSource) -> None:
        self._rows = rows

    async def pages(self, ctx: ReadContext) -> AsyncGenerator[ListedPage, None]:
        """As `ParallelListing.pages`; `outcomes` of a page are of objects that are there no more,
        or cannot be requested."""
        with closing(SortedRows()) as rows:
            ctx.emit(Noted(f"The objects are those of {self._rows.name}"))
            async for chunk in self._rows.chunks():
                await in_thread(None, rows.extend, chunk)
            for said in _remarks(self._rows, ctx.source.url):
                ctx.emit(Warned(said, "S3H-S3-23"))
            pages, range_, first = rows.pages(PAGE), KeyRange(ctx.source.prefix), ""
            page = await in_thread(None, _next, pages)
            while page:
                following = await in_thread(None, _next, pages)
                _check_versions(page, following[:1], self._rows.name)
                found, behind = await _looked_up(ctx, page), just_after(page[-1].key)
                yield ListedPage(
                    refs=found.refs,
                    interval=Interval(first, behind if following else None),
                    range=range_,
                    last=not following,
                    outcomes=found.outcomes,
                    lookups=found.requests,
                )
                page, first = following, behind


class _Found(NamedTuple):
    refs: list[ObjectRef]
    outcomes: tuple[Outcome, ...]  # of objects that are not there, or cannot be looked at
    requests: int


def _next(pages: Iterator[list[ObjectRow]]) -> list[ObjectRow]:
    return next(pages, [])


def _remarks(rows: RowSource, url: str) -> Iterator[str]:
    """What of a list was passed over, or not taken as it is."""
    unread = rows.unread
    if unread.outside:
        yield f"Left out, because not below {url}: {human_count(unread.outside, 'key')} of {rows.name}"
    if unread.failed_tasks:
        yield f"{human_count(unread.failed_tasks, 'task')} of {rows.name} failed: their objects are left out"
    if unread.as_urls:
        yield (
            f"Taken as keys: {human_count(unread.as_urls, 'URL')} of {rows.name}. Write a key that begins with s3:// as"
            " s3%3A//, with --files-encoding url"
        )


def _check_versions(page: Sequence[ObjectRow], following: Sequence[ObjectRow], name: str) -> None:
    last = None
    for row in (*page, *following):
        if row.key == last:
            raise SourceError(
                f"{name} names more than one version of {row.key!a}, and a file can have one.",
                hint="make a list of each, and give each list a destination of its own",
                id="S3H-S3-23",
            )
        last = row.key


async def _looked_up(ctx: ReadContext, page: Sequence[ObjectRow]) -> _Found:
    """What a page of the listing would say of these objects. What the filters leave out is not requested."""
    selected = key_selector(ctx.options, ctx.source.base)
    doubtful = [
        row for row in page if (not row.complete or row.storage_class in ARCHIVED) and selected(row.key)
    ]
    answers = await together(_look_up(ctx, row) for row in doubtful)
    _check_rights(ctx, answers)
    looked_up = dict(zip((row.key for row in doubtful), answers, strict=True))
    found = [looked_up.get(row.key) or _listed(row) for row in page]
    return _Found(
        [each for each in found if isinstance(each, ObjectRef)],
        tuple(each for each in found if isinstance(each, Outcome)),
        len(looked_up),
    )


def _check_rights(ctx: ReadContext, found: Sequence[ObjectRef | Outcome]) -> None:
    """Raises `S3HaulError` where every one of many objects is refused,
    and none could be read before: so will the others."""
    if len(found) < MANY or ctx.limiter.health.good:
        return
    if all(isinstance(each, Outcome) and each.reason in DENIED for each in found):
        raise run_error(Fault(FaultKind.HTTP, "HEAD was refused", status=403), ctx.store.reading)


def _listed(row: ObjectRow) -> ObjectRef:
    size, version = row.size or 0, row.version_id or None
    return ObjectRef(
        row.key, size, row.etag, row.last_modified, row.storage_class, version, row.checksum_type
    )


async def _look_up(ctx: ReadContext, row: ObjectRow) -> ObjectRef | Outcome:
    version = row.version_id or None
    try:
        meta = await ctx.store.head(HeadRequest(row.key, version_id=version))
    except GaveUpError as gave_up:
        return as_vanished(not_done(_listed(row), None, gave_up))
    return meta.ref(row.key)._replace(version_id=version)


def since_listed(ctx: ReadContext, target: Target, outcome: Outcome) -> Outcome:
    """How an object of a list ended, in view of what the list said of it.
    Emits `Changed` if it is another version now."""
    listed = target.ref.etag
    if outcome.state is State.DONE and listed and not same_etag(outcome.ref.etag, listed):
        ctx.emit(Changed(outcome.ref.key))
    return as_vanished(outcome)


def as_vanished(outcome: Outcome) -> Outcome:
    """An object of a list that S3 does not find any more: that is no failure, and a state of its own."""
    if outcome.state is State.FAILED and outcome.reason == "not-found":
        return outcome._replace(state=State.VANISHED, reason=VANISHED)
    return outcome


class StoredReport:
    """`sources.inventory.ReportFiles`; the source of `ctx` is the manifest.json.

    Its bucket need not be that of the objects. Data files go to a temporary directory, one at a time.
    """

    def __init__(self, ctx: ReadContext) -> None:
        self.name = ctx.source.url
        self._ctx = ctx
        folder = ctx.source.prefix.rpartition("/")[0]
        self._checksum = f"{folder}/{CHECKSUM}" if folder else CHECKSUM
        above = folder.rpartition("/")[0]
        self._below = f"{above}/" if above else ""

    async def read(self, name: str, limit: int) -> bytes:
        data = bytearray()

        def write(chunk: Chunk) -> None:
            if len(data) + len(chunk) > limit:
                raise refused(self.name, f"{name} has more than {limit:,} bytes")
            data.extend(chunk)

        await self._fetch(self._ctx.source.prefix if name == MANIFEST else self._checksum, write)
        return bytes(data)

    @asynccontextmanager
    async def local(self, file: DataFile) -> AsyncIterator[Path]:
        if not file.key.startswith(self._below):
            raise refused(self.name, f"the data file {file.key[:80]!a} lies elsewhere")
        digest, size = md5(), 0
        with tempfile.NamedTemporaryFile(prefix="s3haul-inventory-") as copy:

            def write(chunk: Chunk) -> None:
                nonlocal size
                size += len(chunk)
                if size > file.size:
                    raise refused(self.name, f"{file.name} is longer than its manifest says")
                digest.update(chunk)
                copy.write(chunk)

            await self._fetch(file.key, write)
            copy.flush()
            if (size, digest.hexdigest()) != (file.size, file.md5):
                raise refused(self.name, f"{file.name} does not match the size and MD5 in its manifest")
            yield Path(copy.name)

    async def _fetch(self, key: str, write: Callable[[Chunk], None]) -> None:
        outcome = await read_object(replace(self._ctx, source=replace(self._ctx.source, prefix=key)), write)
        if outcome.state is not State.DONE:
            raise refused(self.name, f"{key[:200]!a} cannot be read: {outcome.detail or outcome.reason}")
