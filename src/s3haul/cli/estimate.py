"""The estimate of a dry run, made readable: as lines for a person, as one JSON object for programs."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from importlib import resources
from typing import Any

from s3haul.core.costs import Costs, Prices, costs
from s3haul.core.text import human_bytes, human_count, human_duration, show
from s3haul.engine.dry_run import Estimate

LINK = 125_000_000  # bytes a second: 1 Gbit/s, where no earlier run tells the rate


@lru_cache(maxsize=1)
def prices() -> Prices:
    """The table that comes with the package."""
    return Prices.of(json.loads((resources.files("s3haul.cli") / "prices.json").read_text("utf-8")))


def money(estimate: Estimate) -> Costs:
    """Without Bucket Keys: each GET and HEAD is a call of KMS."""
    return costs(estimate.list_requests, estimate.reads, estimate.sizes, estimate.kms_calls, prices())


def as_object(estimate: Estimate, past_rate: float | None) -> dict[str, Any]:
    """`seconds` is at the rate of earlier runs, or else at 1 Gbit/s; `costs` are in the currency of the prices."""
    table = prices()
    rate = past_rate or LINK
    return {
        **asdict(estimate),
        "classes": {
            name: {"objects": objects, "bytes": size} for name, (objects, size) in estimate.classes.items()
        },
        "largest": [{"key": key, "size": size} for size, key in estimate.largest],
        "kms_calls": estimate.kms_calls,
        "seconds": round(estimate.needed_bytes / rate, 1),
        "rate": round(rate),
        "rate_of": "earlier runs" if past_rate else "1 Gbit/s",
        "costs": {**money(estimate)._asdict(), "currency": table.currency},
        "prices": {"as_of": table.as_of, "region": table.region},
    }


def lines(estimate: Estimate, past_rate: float | None) -> Iterator[str]:
    """What would be hauled, and what it would take."""
    return (f"(dryrun) {line}" for line in _lines(estimate, past_rate))


def _lines(estimate: Estimate, past_rate: float | None) -> Iterator[str]:
    objects = human_count(estimate.objects, "object")
    yield f"{objects}, {human_bytes(estimate.bytes)}; {human_count(estimate.filtered)} filtered"
    if estimate.unusable:
        yield f"{human_count(estimate.unusable)} of the listing's entries name no object and would fail (S3H-INT-04)"
    if len(estimate.classes) > 1:
        yield from _table(estimate)
    if estimate.archived:
        share = estimate.archived_bytes / estimate.bytes if estimate.bytes else 0.0
        yield (
            f"{human_count(estimate.archived)} of them are archived and would be skipped:"
            f" {human_bytes(estimate.archived_bytes)}, {share:.0%} of the bytes"
        )
    if estimate.vanished:
        yield f"{human_count(estimate.vanished, 'more object')} of the list are in the bucket no more"
    if estimate.present:
        yield f"{human_count(estimate.present)} of them are already here, according to the journal"
    if estimate.encoded:
        yield f"{human_count(estimate.encoded)} of them get another name on disk (s3haul help names)"
    for size, key in estimate.largest[:3]:
        yield f"largest: {human_bytes(size)} {show(key)}"
    yield (
        f"requests: {estimate.list_requests:,} LIST, {estimate.get_requests:,} GET,"
        f" {estimate.head_requests:,} HEAD; up to {estimate.kms_calls:,} KMS Decrypt (fewer with Bucket Keys)"
    )
    yield f"space: {human_bytes(estimate.needed_bytes)} to fetch, {human_bytes(estimate.free_bytes)} free"
    if estimate.needed_bytes:
        seconds = human_duration(estimate.needed_bytes / (past_rate or LINK))
        basis = f"the {human_bytes(past_rate)}/s of earlier runs" if past_rate else "1 Gbit/s"
        yield f"time: about {seconds} at {basis}"
        yield _money_line(money(estimate))
    if said := estimate.room.warning():
        yield f"! {said}"


def _table(estimate: Estimate) -> Iterator[str]:
    yield f"  {'storage class':<20} {'objects':>13} {'bytes':>10}"
    for name, (objects, size) in sorted(estimate.classes.items()):
        yield f"  {show(name):<20} {objects:>13,} {human_bytes(size):>10}"


def _money_line(found: Costs) -> str:
    table = prices()
    return (
        f"money: up to ${found.within:,.2f} (requests ${found.requests:,.2f}, KMS ${found.kms:,.2f}, retrieval"
        f" ${found.retrieval:,.2f}), and up to ${found.transfer_out:,.2f} if the bytes leave AWS;"
        f" list prices of {table.region}, {table.as_of}"
    )
