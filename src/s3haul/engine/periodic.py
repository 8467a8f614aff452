"""What a run does once a second: its tick, a look at the disk, a look at the file with changed limits.

Each function runs until cancelled. A thread that waits for a disk that hangs cannot be ended, and nobody can wait for
it: whoever owns the process must leave it.
"""

import asyncio
from collections.abc import Callable

from s3haul.core.text import human_bytes
from s3haul.disk.limits_file import LimitsFile
from s3haul.engine.budget import Budget
from s3haul.engine.context import Context
from s3haul.engine.signals import GRACE, Interruption
from s3haul.errors import DestinationError, UsageError
from s3haul.events import Noted, Tick, Warned
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.limited import fitting
from s3haul.threads import in_thread

DISK_HANGS = "S3H-DST-13"
EVERY = 1.0  # seconds


async def tick(ctx: Context, wake: Callable[[], None], budget: Budget, interruption: Interruption) -> None:
    """Tell the display the time, call `wake`, and end the run when its time is over."""
    while True:
        warn_of_limitations(ctx)
        await asyncio.sleep(EVERY)
        ctx.emit(Tick())
        wake()
        if budget.is_over(ctx.clock()):
            interruption.drain()
            asyncio.get_running_loop().call_later(GRACE, interruption.cancel)


def warn_of_limitations(ctx: Context) -> None:
    """Warn about operations that the file system of the destination does not support."""
    for sentence in ctx.destination.untold_limitations():
        ctx.emit(Warned(sentence, "S3H-DST-12"))


async def watch_disk(ctx: Context, leave: Callable[[DestinationError], None]) -> None:
    """Until cancelled. Calls `leave` with the `DestinationError` that it raises when the disk is silent for too long."""
    said = False
    while True:
        await asyncio.sleep(EVERY)
        seconds = ctx.destination.under_way.longest()
        message = f"the disk of {ctx.destination.root} has not answered for {seconds:.0f} s"
        if seconds >= max(ctx.options.retry_budget, ctx.options.stall_timeout):
            hint = "check the disk or the mount (dmesg, df), then run the same command again: it resumes"
            error = DestinationError(message, hint=hint, id=DISK_HANGS)
            leave(error)
            raise error
        silent = seconds >= ctx.options.stall_timeout
        if silent and not said:
            ctx.emit(Warned(f"{message}; the run waits", DISK_HANGS))
        said = silent


async def follow_limits(ctx: Context, options: TransferOptions) -> None:
    """Until cancelled: apply what the limits file asks for. `options` are those of the command line."""
    file = LimitsFile(ctx.destination.root)
    await in_thread(ctx.threads, file.clear)
    while True:
        await asyncio.sleep(EVERY)
        try:
            asked = await in_thread(ctx.threads, file.changed, ctx.limited.limits)
        except UsageError as error:
            ctx.emit(Warned(error.message, error.id))
            continue
        if asked is not None:
            apply(ctx, options, asked)


def apply(ctx: Context, options: TransferOptions, limits: LimitOptions) -> None:
    """These hold from now on."""
    ctx.limited.limit(limits)
    fit = fitting(options, limits.bandwidth)
    ctx.limiter.allow(fit.concurrency)
    ctx.large_limiter.allow(fit.ranges.memory)
    ctx.emit(Noted(f"limits of this run from now on: {describe(limits)}"))


def describe(limits: LimitOptions) -> str:
    """The limits in words."""
    said = []
    if limits.max_rps is not None:
        said.append(f"{limits.max_rps:g} requests/s")
    if limits.max_kms_rps is not None:
        said.append(f"{limits.max_kms_rps:g} KMS calls/s")
    if limits.bandwidth is not None:
        said.append(f"{human_bytes(int(limits.bandwidth))}/s")
    return ", ".join(said) or "none"
