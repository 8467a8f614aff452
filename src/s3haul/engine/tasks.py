"""Several coroutines at a time, whose failure is one error and not a group of them."""

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from s3haul.errors import S3HaulError

T = TypeVar("T")


async def together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results, in order. The first failure cancels the rest and is raised."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as errors:
        raise most_telling(errors) from None
    return [task.result() for task in tasks]


def most_telling(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    """What ends the run, if that is among them; else the first."""
    leaves = list(_leaves(errors))
    return next((leaf for leaf in leaves if isinstance(leaf, S3HaulError)), leaves[0])


def _leaves(error: BaseException) -> Iterable[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
