"""The plan of a dry run, written to a file that `cp --plan` executes. It takes its name when it is whole."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from s3haul.errors import DestinationError
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions
from s3haul.sources.haul_manifest import plan_end, plan_head, plan_line

Add = Callable[[ObjectRef], None]


@contextmanager
def opened_plan(path: Path | None, source: SourceOptions) -> Iterator[Add]:
    """Takes each object of the plan. Without a path nothing is written. Raises `DestinationError`."""
    if path is None:
        yield lambda _ref: None
        return
    temporary = path.with_name(f"{path.name}.part")
    count = 0
    try:
        with temporary.open("w", encoding="ascii") as file:
            file.write(plan_head(source.bucket, source.prefix) + "\n")

            def add(ref: ObjectRef) -> None:
                nonlocal count
                count += 1
                file.write(plan_line(ref) + "\n")

            yield add
            file.write(plan_end(count) + "\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise DestinationError(
            f"Cannot write the plan {path}: {error.strerror}.", hint="name another file"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
