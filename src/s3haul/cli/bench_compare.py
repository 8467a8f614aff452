"""`s3haul bench --compare A.json B.json`: two results of `--json`, read and held side by side."""

import json
from pathlib import Path

from s3haul.bench.compare import compare, differences
from s3haul.bench.report import Report
from s3haul.cli import streams
from s3haul.cli.bench_page import change_page
from s3haul.cli.bench_tables import change_lines
from s3haul.core.text import show
from s3haul.errors import UsageError

MOST_BYTES = 16 << 20


def run(before: Path, after: Path, *, form: str) -> int:
    """Show the comparison. Raises `UsageError` for files that are no results."""
    first, second = read(before), read(after)
    changes, differing = compare(first, second), list(differences(first, second))
    if not changes:
        raise UsageError(
            "The two results have no setting in common.",
            hint="measure both with the same --sinks, --concurrency and --part-size",
        )
    if form == "json":
        told = {"schema": 1, "kind": "s3haul-bench-comparison", "not_the_same": differing}
        streams.put(json.dumps(told | {"results": [change.as_object() for change in changes]}))
    elif form == "html":
        streams.put(change_page(changes, differing))
    else:
        streams.put_report("\n".join(change_lines(changes, differing, markdown=form == "markdown")))
    return 0


def read(path: Path) -> Report:
    """One result. Raises `UsageError`."""
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES)
        found = json.loads(text)
        return Report.from_object(found)
    except OSError as error:
        raise UsageError(f"{show(str(path))} cannot be read: {error.strerror}.") from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise UsageError(
            f"{show(str(path))} is no result of s3haul bench --json.",
            hint="s3haul bench s3://BUCKET --json > A.json",
        ) from None
