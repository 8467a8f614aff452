"""The table of `s3haul help reliability`: what can go wrong, what a run does then, and the test that holds it to that."""

import csv
from collections.abc import Iterator
from importlib import resources
from typing import NamedTuple

TABLE = "reliability.tsv"
_HEADINGS = {
    "P": "What s3haul promises",
    "F": "What can go wrong, and what a run does then",
    "S": "What an attacker or an accident could do, and why it does not",
}
_FOOT = """\
Each line names the test that fails when it is broken, below tests/ of the source. A simulator plays whole runs with
virtual time, faults, cancellations, kills and power losses from a seed: make simulate SEED=7. make torture plays
20,000 seeds, kills runs at random and puts them through outages; make torture-disk kills them at every system call and
cuts the power under an ext4 disk. What they gave is recorded in benchmarks/reliability.md."""


class Row(NamedTuple):
    """`promise` is "-" for the promises themselves; `test` is a file below tests/ and a function."""

    id: str
    promise: str
    trouble: str
    does: str
    test: str


def rows() -> list[Row]:
    """The whole table, in its order."""
    text = (resources.files("s3haul.cli") / "topics" / TABLE).read_text("utf-8")
    return [Row(*fields) for fields in csv.reader(text.splitlines(), delimiter="\t")]


def reliability_text() -> str:
    """The table for people."""
    return "\n".join(_lines())


def _lines() -> Iterator[str]:
    kind = ""
    for row in rows():
        if row.id[0] != kind:
            if kind:
                yield ""
            kind = row.id[0]
            yield f"{_HEADINGS[kind]}:"
        promise = "" if row.promise == "-" else f" ({row.promise})"
        file, _, test = row.test.partition("::")
        yield f"  {row.id:<4}{row.trouble}{promise}"
        yield f"      {row.does}"
        yield f"      {file}: {test.removeprefix('test_').replace('_', ' ')}"
    yield ""
    yield _FOOT
