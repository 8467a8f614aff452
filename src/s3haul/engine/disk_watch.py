"""A disk that hangs: said after a while, and the end of the run when it goes on for as long as an outage may.

A thread that waits for the disk cannot be ended, and nobody can wait for it: whoever owns the process must leave it.
"""

import asyncio
from collections.abc import Callable

from s3haul.engine.context import Context
from s3haul.errors import DestinationError
from s3haul.events import Warned

ROW = "S3H-DST-13"
EVERY = 1.0  # seconds


async def watch_disk(ctx: Context, leave: Callable[[DestinationError], None]) -> None:
    """Until cancelled. Calls `leave` with the `DestinationError` that it raises when the disk is silent for too long."""
    said = False
    while True:
        await asyncio.sleep(EVERY)
        seconds = ctx.destination.under_way.longest()
        message = f"the disk of {ctx.destination.root} has not answered for {seconds:.0f} s"
        if seconds >= max(ctx.options.retry_budget, ctx.options.stall_timeout):
            hint = "check the disk or the mount (dmesg, df), then run the same command again: it resumes"
            error = DestinationError(message, hint=hint, id=ROW)
            leave(error)
            raise error
        silent = seconds >= ctx.options.stall_timeout
        if silent and not said:
            ctx.emit(Warned(f"{message}; the run waits", ROW))
        said = silent
