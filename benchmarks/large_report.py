"""What a report on many rows costs: `python benchmarks/large_report.py 1000000` writes a
journal, then reports on it.

The journal is made by the product's own code, and no object is fetched. Printed are the seconds of `gather`
and of the page, the size of the page, and the most memory that the process had.
"""

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from s3haul.journal import Journal, SourceIdentity
from s3haul.journal.database import journal_path
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict
from s3haul.report.content import gather
from s3haul.report.page import html

BATCH = 10_000
CHECKSUM = Checksum("CRC64NVME", "FULL_OBJECT", "rosUhgp5mIg=")
KEYS = [f"arn:aws:kms:eu-central-1:111122223333:key/{number:08}" for number in range(3)]


def outcomes(count: int) -> Iterator[Outcome]:
    """Of 1,000 objects four fail and two are archived."""
    for number in range(count):
        key = f"logs/2026/{number % 12 + 1:02}/{number % 31 + 1:02}/part-{number:08}.json.gz"
        size = (number * 7919) % (1 << (number % 30))
        ref = ObjectRef(key, size, f'"{number:032x}"', 1.7e9 + number)
        kind = number % 1000
        if kind < 4:
            yield Outcome(ref, State.FAILED, key, "kms-access-denied", "AccessDenied: no kms:Decrypt")
        elif kind < 6:
            yield Outcome(ref._replace(storage_class="GLACIER"), State.SKIPPED, key, "archived")
        else:
            yield Outcome(
                ref,
                State.DONE,
                key,
                verdict=Verdict.VERIFIED,
                checksum=CHECKSUM,
                sse="aws:kms",
                kms_key_id=KEYS[number % len(KEYS)],
                fetched=size,
                content_type="application/json",
            )


def write(root: Path, count: int) -> None:
    path = journal_path(root)
    path.parent.mkdir()
    journal = Journal.open(path, SourceIdentity("bucket", "", "https://s3.example"), sync=lambda: None)
    number = journal.begin_run()
    batch: list[Outcome] = []
    for outcome in outcomes(count):
        batch.append(outcome)
        if len(batch) == BATCH:
            journal.record_all(batch)
            journal.flush()
            batch.clear()
    journal.record_all(batch)
    journal.end_run(number, complete=True, exit_code=1, listed=count)
    journal.close()


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        write(root, count)
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
        report = gather(root, under_way=False)
        gathered = time.perf_counter()
        size = len(html(report).encode())
        ended = time.perf_counter()
        more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"{count:,} rows: gathered in {gathered - began:.1f} s, page in {ended - gathered:.2f} s")
        print(f"page {size / 1000:.0f} kB, {more / 1024:.0f} MiB more memory than writing the journal took")


if __name__ == "__main__":
    main()
