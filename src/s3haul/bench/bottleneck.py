"""The bottleneck of a run, found in the figures of a benchmark. Pure.

These are tested in this order, and the first that is true decides: requests are throttled; the listing is
slower than the objects; the disk is slower than memory; the processor is busy. Otherwise it is the network.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from s3haul.bench.plan import DestinationKind
from s3haul.bench.result import Bottleneck, Limit, Listing, Row
from s3haul.core.text import human_bytes

THROTTLED = 0.01  # share of requests that were throttled
SLOWER = 0.8  # share of the rate of another destination; a disk that is slower in every run is the bottleneck
BUSY = 0.9  # share of the processor time
GAIN = 1.15  # if more parallel requests are faster by this factor, even more would help
SMALL = 1 << 20  # bytes; smaller objects are processed in Python, which uses one core


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """The figures: all rows, and `scan`, those of the scan over concurrency."""

    rows: Sequence[Row]
    scan: Sequence[Row]
    listing: Listing
    mean_size: float
    processors: int


def bottleneck(evidence: Evidence) -> Bottleneck:
    """The bottleneck for a run over such objects."""
    return (
        _throttling(evidence.rows)
        or _listing(evidence)
        or _disk(evidence.rows)
        or _processor(evidence)
        or _network(evidence)
    )


def fastest(rows: Sequence[Row]) -> Row:
    """The row with the most objects per second."""
    return max(rows, key=lambda row: row.objects_per_second.median)


def _throttling(rows: Sequence[Row]) -> Bottleneck | None:
    by_s3, by_kms = sum(row.throttled_by_s3 for row in rows), sum(row.throttled_by_kms for row in rows)
    requests = max(1, sum(row.requests for row in rows))
    if by_s3 + by_kms < THROTTLED * requests:
        return None
    if by_kms > by_s3:
        return Bottleneck(
            Limit.KMS_THROTTLING,
            f"KMS throttled {by_kms:,} of {requests:,} requests",
            "ask the data owner for a Bucket Key, or for a higher KMS quota of their account",
        )
    return Bottleneck(
        Limit.S3_THROTTLING,
        f"S3 throttled {by_s3:,} of {requests:,} requests",
        "S3 allows more requests for each prefix after some time; copy several prefixes in parallel",
    )


def _listing(evidence: Evidence) -> Bottleneck | None:
    best, listing = fastest(_on_disk(evidence.rows)), evidence.listing
    rate = best.objects_per_second.median
    if listing.rate is None or listing.rate >= rate:
        return None
    return Bottleneck(
        Limit.LISTING,
        f"{listing.rate:,.0f} keys/s are listed ({listing.pages} pages), {rate:,.0f} objects/s are fetched",
        "copy several prefixes in parallel, each with its own command",
    )


def _disk(rows: Sequence[Row]) -> Bottleneck | None:
    on_disk = [row for row in rows if row.setting.destination is DestinationKind.DISK]
    others = [row for row in rows if row.setting.destination is not DestinationKind.DISK]
    if not on_disk or not others:
        return None
    disk, other = fastest(on_disk), fastest(others)
    share = disk.objects_per_second.median / max(other.objects_per_second.median, 1e-9)
    if share >= SLOWER or disk.objects_per_second.most >= other.objects_per_second.least:
        return None
    return Bottleneck(
        Limit.DISK,
        f"to the disk the run reaches {share:.0%} of its speed to {other.setting.destination.value}: {_rate(disk)}"
        f" against {_rate(other)}",
        "another disk, or another file system, for DEST",
    )


def _processor(evidence: Evidence) -> Bottleneck | None:
    best = fastest(evidence.rows)
    cores, there = best.cpu_cores.median, evidence.processors
    if cores >= BUSY * there:
        return Bottleneck(
            Limit.CPU,
            f"{cores:.1f} of {there} processors were busy at {_rate(best)}",
            "a machine with more processors, or several machines with a prefix each",
        )
    if best.machine_busy is not None and best.machine_busy >= BUSY:
        return Bottleneck(
            Limit.CPU,
            f"the processors of this machine were busy for {best.machine_busy:.0%} of the time at {_rate(best)}, and"
            f" the run used {cores:.1f} of {there}: other programs use the rest",
            "measure again when the machine is idle, or copy from another one",
        )
    if evidence.mean_size <= SMALL and cores >= BUSY:
        return Bottleneck(
            Limit.CPU,
            f"{cores:.1f} processors were busy at {_rate(best)}, and small objects (here"
            f" {human_bytes(evidence.mean_size)} on average) are processed by one processor",
            f"this machine has {there} processors: copy several prefixes in parallel, each with its own command",
        )
    return None


def _network(evidence: Evidence) -> Bottleneck:
    best, scan = fastest(evidence.rows), sorted(evidence.scan, key=lambda row: row.setting.concurrency)
    idle = f"{best.cpu_cores.median:.1f} of {evidence.processors} processors were busy"
    if len(scan) > 1:
        before, last = scan[-2], scan[-1]
        gain = last.objects_per_second.median / max(before.objects_per_second.median, 1e-9)
        more = f"{_rate(before)} at {before.setting.concurrency}, {_rate(last)} at {last.setting.concurrency}"
        if gain >= GAIN:
            first = last.first_byte_seconds.p50
            waits = (
                ""
                if first is None
                else f"; half of the requests wait {first * 1000:.0f} ms for the first byte"
            )
            return Bottleneck(
                Limit.LATENCY,
                f"more parallel requests were always faster: {more}{waits}",
                "measure with a higher --concurrency; a machine in the bucket's region waits less",
            )
        why = f"more parallel requests were not faster ({more}), and {idle}"
    else:
        why = f"nothing else was busy: {idle} at {_rate(best)}; only one concurrency was measured"
    return Bottleneck(
        Limit.NETWORK, why, "a machine with a faster connection to S3, best in the bucket's region"
    )


def _on_disk(rows: Sequence[Row]) -> Sequence[Row]:
    """The rows of the disk, if it was measured: a real run writes to the disk."""
    return [row for row in rows if row.setting.destination is DestinationKind.DISK] or rows


def _rate(row: Row) -> str:
    gigabits = row.bytes_per_second.median * 8 / 1e9
    return f"{row.objects_per_second.median:,.0f} objects/s, {gigabits:.2f} Gb/s"
