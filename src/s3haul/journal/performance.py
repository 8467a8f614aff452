"""The performance of runs, in tables of their own: samples over time, the slowest objects,
what prefixes took, what was retried.

For the report alone: no run reads any of it, and a journal without it is complete. A run writes all of its
rows anew from time to time; their number is bounded by who collects them (`core.stats`).
"""

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from s3haul.core.stats import PrefixTime, Sample, SlowObject
from s3haul.journal.rows import storable

PERFORMANCE_TABLES = (
    """CREATE TABLE samples (run INTEGER NOT NULL, start REAL NOT NULL, seconds REAL NOT NULL, bytes INTEGER NOT NULL,
    objects INTEGER NOT NULL, listed INTEGER NOT NULL, request_limit INTEGER NOT NULL,
    retries INTEGER NOT NULL, throttles INTEGER NOT NULL, renewals INTEGER NOT NULL, first_byte REAL,
    first_byte_high REAL, PRIMARY KEY (run, start)) WITHOUT ROWID""",
    """CREATE TABLE slow_objects (run INTEGER NOT NULL, seconds REAL NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
    PRIMARY KEY (run, key)) WITHOUT ROWID""",
    """CREATE TABLE prefix_times (run INTEGER NOT NULL, prefix TEXT NOT NULL, objects INTEGER NOT NULL,
    bytes INTEGER NOT NULL, seconds REAL NOT NULL, PRIMARY KEY (run, prefix)) WITHOUT ROWID""",
    """CREATE TABLE retries (run INTEGER NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL,
    PRIMARY KEY (run, reason)) WITHOUT ROWID""",
)
_NAMES = ("samples", "slow_objects", "prefix_times", "retries")


@dataclass(frozen=True, slots=True, kw_only=True)
class Performance:
    """Of one run. `slowest` has the slowest first; `prefixes` is a sample; `retries` counts by reason."""

    samples: Sequence[Sample] = ()
    slowest: Sequence[SlowObject] = ()
    prefixes: Sequence[PrefixTime] = ()
    retries: Mapping[str, int] = field(default_factory=dict)


def statements(run: int, performance: Performance) -> list[tuple[str, list[tuple[Any, ...]]]]:
    """The SQL that replaces what is stored of a run; each statement with its rows of parameters."""
    slowest = {
        each.key: (run, each.seconds, storable(each.key), each.size) for each in reversed(performance.slowest)
    }
    rows: tuple[list[tuple[Any, ...]], ...] = (
        [(run, *sample) for sample in performance.samples],
        list(slowest.values()),
        [(run, storable(prefix), *rest) for prefix, *rest in performance.prefixes],
        [(run, *item) for item in performance.retries.items()],
    )
    drop = [(f"DELETE FROM {name} WHERE run = ?", [(run,)]) for name in _NAMES]  # noqa: S608 - constants
    return drop + [
        (f"INSERT OR REPLACE INTO {name} VALUES ({', '.join('?' * len(some[0]))})", some)  # noqa: S608 - same
        for name, some in zip(_NAMES, rows, strict=True)
        if some
    ]


def read_performance(connection: sqlite3.Connection, run: int) -> Performance:
    """What is known of a run, of a journal that has these tables."""

    def rows(columns: str, table: str, order: str) -> list[Any]:
        sql = f"SELECT {columns} FROM {table} WHERE run = ? ORDER BY {order}"  # noqa: S608 - constants
        return connection.execute(sql, (run,)).fetchall()

    samples = rows(
        "start, seconds, bytes, objects, listed, request_limit, retries, throttles, renewals, "
        "first_byte, first_byte_high",
        "samples",
        "start",
    )
    return Performance(
        samples=[Sample._make(row) for row in samples],
        slowest=[SlowObject._make(row) for row in rows("seconds, key, size", "slow_objects", "seconds DESC")],
        prefixes=[
            PrefixTime._make(row)
            for row in rows("prefix, objects, bytes, seconds", "prefix_times", "seconds / objects DESC")
        ],
        retries=dict(rows("reason, count", "retries", "count DESC")),
    )
