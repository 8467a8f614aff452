"""Limits that are changed while a run goes on: looked for once a second, applied to everything that holds back.

What cannot be understood is said and changes nothing.
"""

import asyncio

from s3haul.core.text import human_bytes
from s3haul.disk.limits_file import LimitsFile
from s3haul.engine.context import Context
from s3haul.errors import UsageError
from s3haul.events import Noted, Warned
from s3haul.options import LimitOptions, TransferOptions
from s3haul.store.limited import fitting
from s3haul.threads import in_thread

EVERY = 1.0  # seconds


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
