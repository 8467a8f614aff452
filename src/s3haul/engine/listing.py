"""The producer: reads the listing page by page and sends what is to be done to be fetched.

Each page is checked (is the listing complete so far?), merged with the journal's rows of the same key
range and with the disk, and turned into targets. One page is looked at in one hop to a thread. Keys
whose path depends on keys still to come are held back by `ShadowFilter`, at most one per prefix.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from s3haul.core.filters import nothing_selected, selector
from s3haul.core.keypath import ShadowFilter, safe_path
from s3haul.core.listing import ListingValidator, unusable
from s3haul.core.space import SpaceEstimate
from s3haul.diagnose.run_errors import run_error
from s3haul.engine.context import Calls, Context
from s3haul.engine.decision import Decision, Target, decide_target, same_version
from s3haul.errors import S3HaulError, SourceError
from s3haul.events import AlreadyDone, Finished, Listed, ListingEnded, Warned
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef, Outcome, Partial, SafePath, State, UnusableEntry
from s3haul.store.retrying import GaveUpError, persist
from s3haul.threads import in_thread

Entry = tuple[ObjectRef, KnownRow | None]
Placed = tuple[Entry, bool]


@dataclass(slots=True)
class Survey:
    """What one batch of entries comes to."""

    targets: list[Target] = field(default_factory=list)
    unusable: list[Outcome] = field(default_factory=list)
    filtered: int = 0
    kept: int = 0
    kept_bytes: int = 0
    replacing: int = 0  # files that are here and differ
    files: int = 0  # that will be made, and the space that they will take
    space: int = 0

    @property
    def selected(self) -> int:
        return len(self.targets) + len(self.unusable) + self.kept


# Queues targets that are to be fetched; waits while too many are queued.
Queue = Callable[[Sequence[Target]], Awaitable[None]]


async def produce(ctx: Context, queue: Queue) -> None:
    """List everything, and queue what is to be fetched."""
    room = SpaceEstimate(*ctx.destination.free_space())
    if ctx.source.recursive:
        selected, filtered = await _list_all(ctx, queue, room)
    else:
        selected, filtered = await _look_up(ctx, queue, room)
    if not selected:
        ctx.emit(Warned(nothing_selected(ctx.options.filters, filtered), "S3H-S3-19"))
    ctx.emit(ListingEnded())


async def _look_up(ctx: Context, queue: Queue, room: SpaceEstimate) -> tuple[int, int]:
    """As `_list_all`, for the one object."""
    ref = await look_up(ctx)
    row = (await in_thread(ctx.threads, ctx.journal.known, "", ref.key)).get(ref.key)
    left = await in_thread(ctx.threads, _left_over, ctx)
    survey = await in_thread(ctx.threads, _survey, ctx, [((ref, row), False)], left)
    await _send(ctx, queue, room, survey)
    return survey.selected, survey.filtered


async def look_up(ctx: Calls) -> ObjectRef:
    """The entry of the one object that the source names. Raises `SourceError` where there is none."""
    key, what = ctx.source.prefix, ctx.reading
    try:
        meta, _ = await persist(ctx, key, what, partial(ctx.store.head, key))
    except GaveUpError as gave_up:
        if gave_up.action.reason == "not-found":
            raise await _no_such_object(ctx) from None
        raise run_error(gave_up.fault, what) from None
    return meta.ref(key)


async def _no_such_object(ctx: Calls) -> SourceError:
    what = ctx.listing
    hint = "check the key; keys are case-sensitive"
    try:
        page, _ = await persist(ctx, "", what, lambda: ctx.store.list_page(ctx.source.prefix + "/"))
        if page.entries:
            hint = "keys lie below it: add --recursive, or end the source in /"
    except (GaveUpError, S3HaulError):
        hint = "check the key; to haul everything below it, add --recursive"
    return SourceError(f"There is no object {ctx.url}.", hint=hint, id="S3H-S3-16")


@dataclass(frozen=True, slots=True)
class Batch:
    """The new entries of one page. `after` is the last key of the pages before it ("" at first), `last` the
    last one with it; `unusable` is what of it names no object."""

    refs: list[ObjectRef]
    after: str
    last: str
    final: bool
    unusable: tuple[UnusableEntry, ...] = ()


async def batches(ctx: Calls) -> AsyncIterator[Batch]:
    """The whole listing, page by page. Raises `ListingIncompleteError` or what ends the run."""
    validator, token, what = ListingValidator(ctx.source.prefix), None, ctx.listing
    while True:
        try:
            page, _ = await persist(
                ctx, "", what, partial(ctx.store.list_page, ctx.source.prefix, token=token)
            )
        except GaveUpError as gave_up:
            raise run_error(gave_up.fault, what) from None
        after, repeated = validator.last_key or "", validator.repeated
        refs = validator.accept(page)
        if validator.repeated and not repeated:
            ctx.emit(Warned("The listing names keys more than once; each counts once.", "S3H-INT-04"))
        yield Batch(refs, after, validator.last_key or "", final=not page.truncated, unusable=page.unusable)
        if not page.truncated:
            return
        token = page.token


async def _list_all(ctx: Context, queue: Queue, room: SpaceEstimate) -> tuple[int, int]:
    """Queue everything; returns how many objects are selected and how many the filters left out."""
    selected = filtered = 0
    shadows: ShadowFilter[Entry] = ShadowFilter(key=lambda entry: entry[0].key)
    left = await in_thread(ctx.threads, _left_over, ctx)
    async for batch in batches(ctx):
        survey = await in_thread(ctx.threads, _look_at, ctx, shadows, left, batch)
        await _send(ctx, queue, room, survey)
        selected, filtered = selected + survey.selected, filtered + survey.filtered
    return selected, filtered


def _look_at(ctx: Context, shadows: ShadowFilter[Entry], left: dict[str, Partial], batch: Batch) -> Survey:
    """One page against the journal and the disk. Runs in a thread."""
    placed = _place(ctx, shadows, batch)
    if batch.final:
        placed += shadows.flush()
        ctx.journal.mark_gone_after(batch.last)
    survey = _survey(ctx, placed, left)
    survey.unusable = [unusable(entry) for entry in batch.unusable if _is_selected(ctx, entry)]
    survey.filtered += len(batch.unusable) - len(survey.unusable)
    if batch.final:
        for forgotten in left.values():  # nobody will ask for these again
            _drop(ctx, forgotten)
    return survey


def _is_selected(ctx: Context, entry: UnusableEntry) -> bool:
    return selector(ctx.options.filters)(entry.key[len(ctx.source.base) :])


def _left_over(ctx: Context) -> dict[str, Partial]:
    """What earlier runs left here in part, by key: a handful, those that were under way when a run ended."""
    left: dict[str, Partial] = {}
    for found in ctx.journal.partials():
        if found.key in left:
            _drop(ctx, found)
        else:
            left[found.key] = found
    return left


def _drop(ctx: Context, partial: Partial) -> None:
    ctx.destination.remove_temporary(partial.temporary)
    ctx.journal.forget(partial.temporary)


def _place(ctx: Context, shadows: ShadowFilter[Entry], batch: Batch) -> list[Placed]:
    """Join a page with the journal's rows of the same range; rows without an entry are gone."""
    rows = ctx.journal.known(batch.after, batch.last)
    placed: list[Placed] = []
    for ref in batch.refs:
        placed += shadows.push((ref, rows.pop(ref.key, None)))
    for entry in batch.unusable:
        rows.pop(entry.key, None)
    if rows:
        ctx.journal.mark_gone(list(rows))
    return placed


def _survey(ctx: Context, placed: Sequence[Placed], left: dict[str, Partial]) -> Survey:
    """Decide every entry; the disk is asked about each path. What is `left` of an entry goes with it.

    The journal unlearns versions that will be replaced before they are: a kill between the rename of the
    new file and its commit must not leave a row that vouches for another file.
    """
    survey, replaced, absent = Survey(), list[str](), set[tuple[str, ...]]()
    base, selected = ctx.source.base, selector(ctx.options.filters)
    for (ref, row), shadowed in placed:
        partial = left.pop(ref.key, None) if left else None
        if not selected(ref.key[len(base) :]):
            survey.filtered += 1
            continue
        path = _settle(ctx, ref, row, absent, shadowed=shadowed)
        on_disk = ctx.destination.stat(path, absent)
        target = decide_target(ref, path, row, on_disk, ctx.options)
        if target.decision is Decision.KEEP:
            survey.kept += 1
            survey.kept_bytes += ref.size
            if partial:
                _drop(ctx, partial)
        else:
            if target.decision is Decision.FETCH:
                survey.files += on_disk is None
                survey.replacing += on_disk is not None and not path.directory
                survey.space += ref.size - (on_disk.size if on_disk and on_disk.is_regular else 0)
            if partial:
                survey.space -= ctx.destination.temporary_space(partial.temporary)
                blocks = ctx.journal.blocks(partial.temporary)
                target = target._replace(left=partial._replace(blocks=blocks))
            survey.targets.append(target)
            if row is not None and row.state is State.DONE:
                replaced.append(ref.key)
    if replaced:
        ctx.journal.mark_gone(replaced)
        ctx.journal.flush()
    return survey


def _settle(
    ctx: Context, ref: ObjectRef, row: KnownRow | None, absent: set[tuple[str, ...]], *, shadowed: bool
) -> SafePath:
    """The object's path on this disk. What landed before the key became another key's directory moves
    aside, which may make a directory that was `absent`; what moved aside stays there when the keys below are
    gone, since their files may still be there."""
    if ctx.file_name is not None:
        return safe_path(ctx.file_name)
    base = ctx.source.base
    path = ctx.destination.settle(natural_path(ref, base, shadowed=shadowed))
    if path.directory or row is None or row.path in {None, str(path)}:
        return path
    other = ctx.destination.settle(safe_path(ref.key, base=base, shadowed=not shadowed))
    if row.path == str(other) and not shadowed:
        return other
    if row.path == str(other) and same_version(row, ref):
        ctx.destination.relocate(other, path)
        absent.clear()
    return path


def natural_path(ref: ObjectRef, base: str, *, shadowed: bool) -> SafePath:
    """The path of a listed object; a zero-byte key that ends in "/" is a directory marker."""
    directory = ref.size == 0 and (ref.key.endswith("/") or ref.key == base)
    return safe_path(ref.key, base=base, shadowed=shadowed, directory=directory)


async def _send(ctx: Context, queue: Queue, room: SpaceEstimate, survey: Survey) -> None:
    room.need(survey.space, survey.files)
    if said := room.warning():
        ctx.emit(Warned(said, "S3H-DST-02"))
    listed_bytes = sum(target.ref.size for target in survey.targets) + survey.kept_bytes
    ctx.emit(Listed(survey.selected, listed_bytes, survey.filtered, survey.replacing))
    if survey.kept:
        ctx.emit(AlreadyDone(survey.kept, survey.kept_bytes))
    skipped = [
        Outcome(target.ref, State.SKIPPED, str(target.path), reason=target.reason)
        for target in survey.targets
        if target.decision is Decision.SKIP
    ]
    finish(ctx, survey.unusable + skipped)
    await queue([target for target in survey.targets if target.decision is not Decision.SKIP])


def finish(ctx: Context, outcomes: Sequence[Outcome]) -> None:
    """The one way in which objects end: into the journal, then to whoever listens."""
    ctx.journal.record_all(outcomes)
    for outcome in outcomes:
        ctx.emit(Finished(outcome))
