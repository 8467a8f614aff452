"""The bucket listed once more at the end of a run, and held against the journal: what came, changed or went meanwhile.

Nothing is fetched and nothing recorded: the next run does that. Each page is compared with the rows of its own range of
keys, so that nothing grows with the bucket.
"""

from dataclasses import dataclass, field

from s3haul.core.conditions import choice, key_choice
from s3haul.core.etags import same_etag
from s3haul.core.listing import unusable
from s3haul.engine.context import Context
from s3haul.engine.listing import Batch, batches
from s3haul.events import Reconciled
from s3haul.journal import KnownRow
from s3haul.models import ObjectRef
from s3haul.threads import in_thread

EXAMPLES = 3
PAGE = 1000


@dataclass(slots=True)
class _Differences:
    added: int = 0
    changed: int = 0
    deleted: int = 0
    examples: list[str] = field(default_factory=list)

    def show(self, key: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(key)


async def reconcile(ctx: Context) -> None:
    """Emits `Reconciled`. Raises what ends the run."""
    await in_thread(ctx.threads, ctx.journal.flush)
    found = _Differences()
    async for batch in batches(ctx):
        await in_thread(ctx.threads, _compare, ctx, batch, found)
    ctx.emit(Reconciled(found.added, found.changed, found.deleted, tuple(found.examples)))


def _compare(ctx: Context, batch: Batch, found: _Differences) -> None:
    """One page against the rows of the same range. Runs in a thread."""
    selected = choice(ctx.options, ctx.source.base)
    rows = ctx.journal.known(batch.after, batch.last)
    for ref in batch.refs:
        row = rows.pop(ref.key, None)
        if selected(ref):
            _compare_one(ref, row, found)
    for entry in batch.unusable:
        rows.pop(unusable(entry).ref.key, None)
    _gone(ctx, list(rows), found)
    last = batch.last
    while batch.final and (behind := ctx.journal.keys_after(last, PAGE)):
        _gone(ctx, behind, found)
        last = behind[-1]


def _compare_one(ref: ObjectRef, row: KnownRow | None, found: _Differences) -> None:
    if row is None:
        found.added += 1
    elif not same_etag(row.etag, ref.etag) or row.size != ref.size:
        found.changed += 1
    else:
        return
    found.show(ref.key)


def _gone(ctx: Context, keys: list[str], found: _Differences) -> None:
    chosen = key_choice(ctx.options, ctx.source.base)
    for key in filter(chosen, keys):
        found.deleted += 1
        found.show(key)
