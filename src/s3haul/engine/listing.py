"""The producer: reads the listing page by page, or a list instead, and queues what is to be fetched.

Pages come from `parallel_listing`. Each is merged with the journal's rows of the same keys and with the disk,
and turned into targets. One page is compared in one call to a thread. Keys whose path depends on keys still
to come wait in `Shadows`, mostly one in each range.
"""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial

from s3haul.concurrency import in_thread
from s3haul.core.estimates import SpaceEstimate
from s3haul.core.filters import (
    key_selector,
    nothing_selected,
    object_selector,
    prefixes_to_list,
    selects_everything,
)
from s3haul.core.key_ranges import Interval, ListedPage, ancestors_across, just_after
from s3haul.core.keypath import safe_path
from s3haul.core.listing_validator import unusable_outcome
from s3haul.diagnose.reasons import run_error
from s3haul.disk import FileStat
from s3haul.engine.context import Context, ReadContext
from s3haul.engine.large_file import drop_partial
from s3haul.engine.parallel_listing import ParallelListing
from s3haul.engine.shadowing import Entry, Placed, Shadows, among_neighbours
from s3haul.engine.target import Decision, Target, decide_target, finish, natural_path, same_version
from s3haul.engine.version_source import lister_of
from s3haul.errors import S3HaulError, SourceError
from s3haul.events import AlreadyDone, Listed, ListingEnded, Warned
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, Outcome, Partial, SafePath, State
from s3haul.options import SourceOptions
from s3haul.store.protocol import HeadRequest
from s3haul.store.retrying import GaveUpError


@dataclass(slots=True)
class PageResult:
    """One page of the listing compared with the journal and the disk."""

    targets: list[Target] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)  # of objects that are not requested
    filtered: int = 0
    kept: int = 0
    kept_bytes: int = 0
    replacing: int = 0  # files that are here and differ
    files: int = 0  # that will be made, and the space that they will take
    space: int = 0
    # Files that become those of other objects: the path, the key that it was of,
    # and the one that it will be of.
    taken_over: list[tuple[str, str, str]] = field(default_factory=list)

    @property
    def selected(self) -> int:
        return len(self.targets) + len(self.outcomes) + self.kept


# Queues targets that are to be fetched; waits while too many are queued.
Queue = Callable[[Sequence[Target]], Awaitable[None]]


async def produce(ctx: Context, queue: Queue) -> None:
    """List everything, and queue what is to be fetched."""
    room = SpaceEstimate(*ctx.destination.free_space())
    if ctx.source.recursive:
        selected, filtered = await _queue_all(ctx, queue, room)
    else:
        selected, filtered = await _queue_one(ctx, queue, room)
    if not selected:
        ctx.emit(Warned(nothing_selected(ctx.options.filters, filtered), "S3H-S3-19"))
    ctx.emit(ListingEnded())


async def _queue_one(ctx: Context, queue: Queue, room: SpaceEstimate) -> tuple[int, int]:
    """As `_queue_all`, for the one object."""
    ref = await look_up(ctx)
    row = (await in_thread(ctx.threads, ctx.journal.committed.known_of, [ref.key])).get(ref.key)
    partials = await in_thread(ctx.threads, _partials_here, ctx)
    result = await in_thread(ctx.threads, _decide_and_prepare, ctx, [((ref, row), False)], partials)
    await _send(ctx, queue, room, result)
    return result.selected, result.filtered


async def look_up(ctx: ReadContext) -> ObjectRef:
    """The entry of the one object that the source names. Raises `SourceError` where there is none."""
    key = ctx.source.prefix
    try:
        meta = await ctx.store.head(HeadRequest(key, version_id=ctx.source.version_id))
    except GaveUpError as gave_up:
        if gave_up.action.reason == "not-found":
            raise await _no_such_object(ctx) from None
        raise run_error(gave_up.fault, ctx.store.reading) from None
    return meta.ref(key)._replace(version_id=ctx.source.version_id)


async def _no_such_object(ctx: ReadContext) -> SourceError:
    hint = "check the key; keys are case-sensitive"
    if ctx.source.version_id is not None:
        raise SourceError(
            f"There is no version {ctx.source.version_id!a} of {ctx.source.url}.",
            hint="aws s3api list-object-versions --bucket BUCKET --prefix KEY lists them",
            id="S3H-S3-16",
        )
    try:
        page = await ctx.store.list_page(ctx.source.prefix + "/")
        if page.entries:
            hint = "keys lie below it: add --recursive, or end the source in /"
    except (GaveUpError, S3HaulError):
        hint = "check the key; to copy everything below it, add --recursive"
    return SourceError(f"There is no object {ctx.source.url}.", hint=hint, id="S3H-S3-16")


async def _queue_all(ctx: Context, queue: Queue, room: SpaceEstimate) -> tuple[int, int]:
    """Queue everything; returns how many objects are selected and how many the filters left out."""
    selected = filtered = 0
    lister = lister_of(ctx)
    shadows: Shadows[Entry] = Shadows(lister, key=lambda entry: entry[0].key, known=ctx.shadowed)
    partials = await in_thread(ctx.threads, _partials_here, ctx)
    # A disk that folds names gives them to who comes first: that must not depend on the order of responses.
    limit = 1 if ctx.destination.folds_names else list_limit(ctx)
    prefixes = prefixes_to_list(ctx.options.filters, ctx.source.prefix)
    listing = ParallelListing(ctx, lister, prefixes, limit, partial(_may_split, ctx, shadows))
    async with aclosing(ctx.objects.pages(ctx) if ctx.objects else listing.pages()) as pages:
        async for page in pages:
            results = [await in_thread(ctx.threads, _compare, ctx, shadows, partials, page)]
            if decided := await shadows.looked_up():
                results.append(await in_thread(ctx.threads, _decide_and_prepare, ctx, decided, partials))
            for result in results:
                await _send(ctx, queue, room, result)
                selected, filtered = selected + result.selected, filtered + result.filtered
    if is_whole(ctx):
        await in_thread(ctx.threads, _drop_unlisted, ctx, partials, listing.prefixes)
    return selected, filtered


def list_limit(ctx: ReadContext) -> int:
    """How many list requests there may be at a time."""
    return min(ctx.options.list_concurrency, ctx.options.concurrency)


async def _may_split(ctx: Context, shadows: Shadows[Entry], prefix: str, point: str) -> bool:
    """What landed under a key that has become a directory moves aside when that key is looked at: not after
    the keys below it, which a range that begins after `point` may bring at once."""
    for key in await in_thread(ctx.threads, _files_across, ctx, prefix, point):
        if await shadows.has_keys_below(key, prefix):
            return False
    return True


def _files_across(ctx: Context, prefix: str, point: str) -> list[str]:
    """The keys up to `point` that may have keys below them behind it, and are files here."""
    found = []
    for key in ancestors_across(point):
        if not key.startswith(prefix):
            continue
        row = ctx.journal.committed.known(key, just_after(key)).get(key)
        if row is not None and row.path != str(safe_path(key, base=ctx.source.base, shadowed=True)):
            found.append(key)
    return found


def _compare(
    ctx: Context, shadows: Shadows[Entry], partials: dict[str, Partial], page: ListedPage
) -> PageResult:
    """One page against the journal and the disk. Runs in a thread."""
    placed = _join(ctx, shadows, page)
    if not is_whole(ctx):
        placed = among_neighbours(ctx, placed)
    result = _decide_and_prepare(ctx, placed, partials)
    selected = key_selector(ctx.options, ctx.source.base)
    unusable = [unusable_outcome(entry) for entry in page.unusable if selected(entry.key)]
    result.filtered += len(page.unusable) - len(unusable)
    result.outcomes += [*unusable, *page.outcomes]
    return result


def is_whole(ctx: ReadContext) -> bool:
    """Whether every object is named, so that what the journal knows beside them is gone."""
    return ctx.objects is None


def _partials_here(ctx: Context) -> dict[str, Partial]:
    """What earlier runs left here in part, by key: a handful, those that were under way when a run ended."""
    partials: dict[str, Partial] = {}
    for found in ctx.journal.committed.partials():
        if found.key in partials:
            drop_partial(ctx, found)
        else:
            partials[found.key] = found
    return partials


def _drop_unlisted(ctx: Context, partials: dict[str, Partial], prefixes: tuple[str, ...]) -> None:
    """Objects that are not listed any more will not be requested again."""
    for key, forgotten in partials.items():
        if key.startswith(prefixes):
            drop_partial(ctx, forgotten)


def _join(ctx: Context, shadows: Shadows[Entry], page: ListedPage) -> list[Placed]:
    """Join a page with the journal's rows of the same keys; rows without an entry are gone."""
    first, end = page.interval
    behind = just_after(page.refs[-1].key) if page.refs else first
    whole, journal = is_whole(ctx), ctx.journal
    rows = (
        journal.committed.known(first, behind)
        if whole
        else journal.committed.known_of([ref.key for ref in page.refs])
    )
    entries = [(ref, rows.pop(ref.key, None)) for ref in page.refs]
    placed = shadows.push(page.range, entries, last=page.last)
    if not whole:
        return placed
    for entry in page.unusable:
        rows.pop(entry.key, None)
    if rows:
        journal.mark_gone(list(rows))
    for interval in (Interval(behind, end), *page.empty):
        if interval.first != interval.end:
            journal.mark_gone_between(*interval)
    return placed


def _decide_and_prepare(ctx: Context, placed: Sequence[Placed], partials: dict[str, Partial]) -> PageResult:
    """Decide every entry; the disk is looked at for each path.
    Moves files and deletes partial files as that demands.

    The rows of versions that will be replaced are marked as gone first: a kill between the rename of the new
    file and its commit must not leave a row that says "done" of another file.
    """
    result, replaced, absent = PageResult(), list[str](), set[tuple[str, ...]]()
    chosen = _chosen(ctx, placed, partials, result)
    owners = ctx.journal.owners_of([str(path) for _, _, path, _ in chosen if not path.directory])
    for ref, row, path, partial_file in chosen:
        owner = owners.get(str(path), ref.key) if owners and not path.directory else ref.key
        if owner != ref.key and not may_take(ctx.source, owner):
            result.outcomes.append(_path_taken(ref, path, owner))
            continue
        on_disk = ctx.destination.stat(path, absent)
        target = decide_target(ref, path, row, on_disk, ctx.options)
        if target.decision is Decision.KEEP:
            result.kept += 1
            result.kept_bytes += ref.size
            if partial_file:
                drop_partial(ctx, partial_file)
            continue
        result.targets.append(_prepared(ctx, target, on_disk, partial_file, result))
        if row is not None and row.state is State.DONE:
            replaced.append(ref.key)
        if owner != ref.key and target.decision is not Decision.SKIP:
            replaced.append(owner)
            result.taken_over.append((str(path), owner, ref.key))
    if replaced:
        ctx.journal.mark_gone(replaced)
        ctx.journal.flush()
    return result


def _chosen(
    ctx: Context, placed: Sequence[Placed], partials: dict[str, Partial], result: PageResult
) -> list[tuple[ObjectRef, KnownRow | None, SafePath, Partial | None]]:
    """The entries that the filters select, with their paths and partial files. Counts the others."""
    base = ctx.source.base
    selected = None if selects_everything(ctx.options) else object_selector(ctx.options, base)
    chosen = []
    for (ref, row), shadowed in placed:
        partial_file = partials.pop(ref.key, None) if partials else None
        if selected is not None and not selected(ref):
            result.filtered += 1
        else:
            path = _path_moving_files(ctx, ref, row, base, shadowed=shadowed)
            chosen.append((ref, row, path, partial_file))
    return chosen


def _prepared(
    ctx: Context, target: Target, on_disk: FileStat | None, partial_file: Partial | None, result: PageResult
) -> Target:
    """The target with what an earlier run left of it. Counts the space that it will take."""
    if target.decision is Decision.FETCH:
        result.files += on_disk is None
        result.replacing += on_disk is not None and on_disk.is_regular and not target.path.directory
        result.space += target.ref.size - (on_disk.size if on_disk and on_disk.is_regular else 0)
    if partial_file is None:
        return target
    result.space -= ctx.destination.temporary_space(partial_file.temporary)
    blocks = ctx.journal.committed.blocks(partial_file.temporary)
    return target._replace(partial=partial_file._replace(blocks=blocks))


def may_take(source: SourceOptions, owner: str) -> bool:
    """Whether a file may become another object's than `owner`'s, which earlier runs wrote there: if the user
    names the one object, or if the owner will get another path in this run."""
    return not source.recursive or owner.startswith(source.prefix)


def _path_taken(ref: ObjectRef, path: SafePath, owner: str) -> Outcome:
    detail = f"{path} is the file of {owner}, which an earlier run copied"
    return Outcome(ref, State.FAILED, str(path), reason="path-taken", detail=detail)


def _path_moving_files(
    ctx: Context, ref: ObjectRef, row: KnownRow | None, base: str, *, shadowed: bool
) -> SafePath:
    """The object's path on this disk. What landed before the key became another key's directory moves
    aside; what moved aside stays there when the keys below are gone, since their files may still be there."""
    if ctx.file_name is not None:
        return safe_path(ctx.file_name)
    path = ctx.destination.path_on_disk(natural_path(ref, base, shadowed=shadowed))
    if path.directory or row is None or row.path in {None, str(path)} or ref.of_all_versions:
        return path
    other = ctx.destination.path_on_disk(safe_path(ref.key, base=base, shadowed=not shadowed))
    if row.path == str(other) and not shadowed:
        return other
    if row.path == str(other) and same_version(row, ref):
        ctx.destination.relocate(other, path)
    return path


async def _send(ctx: Context, queue: Queue, room: SpaceEstimate, result: PageResult) -> None:
    for path, owner, key in result.taken_over:
        ctx.emit(Warned(f"{path} was the file of {owner}: it is replaced by {key}", "S3H-DST-14"))
    room.need(result.space, result.files)
    if said := room.warning():
        ctx.emit(Warned(said, "S3H-DST-02"))
    listed_bytes = sum(target.ref.size for target in result.targets) + result.kept_bytes
    ctx.emit(Listed(result.selected, listed_bytes, result.filtered, result.replacing))
    if result.kept:
        ctx.emit(AlreadyDone(result.kept, result.kept_bytes))
    skipped = [
        Outcome(target.ref, State.SKIPPED, str(target.path), reason=target.reason)
        for target in result.targets
        if target.decision is Decision.SKIP
    ]
    finish(ctx, result.outcomes + skipped)
    await queue([target for target in result.targets if target.decision is not Decision.SKIP])
