"""One budget of requests, KMS calls and bytes a second for all workers: who may use how much of it. Pure.

The driver says how many shards share the budget, in `RUN/limits.json`. A worker reads that now and then and takes its
share. A driver that is gone says nothing more: the last share stays in force, so the sum never exceeds the budget
for long, and never stops the workers.
"""

import json

from s3haul.options import LimitOptions, TransferOptions


def share_of(transfer: TransferOptions, workers: int) -> LimitOptions:
    """An equal share of the limits for each of so many workers."""
    return LimitOptions._make(each and each / max(1, workers) for each in transfer.limits)


def sharers(*, slots: int, open_shards: int) -> int:
    """How many shards share the budget: as many as can run at a time, fewer at the end of a run."""
    return max(1, min(slots, open_shards))


def encode_sharers(count: int) -> bytes:
    return json.dumps({"sharers": count}).encode("ascii")


def decode_sharers(data: bytes) -> int | None:
    """None where the file says nothing that can be used, as while it is being replaced."""
    try:
        count = json.loads(data)["sharers"]
    except (ValueError, TypeError, KeyError):
        return None
    return count if isinstance(count, int) and count > 0 else None
