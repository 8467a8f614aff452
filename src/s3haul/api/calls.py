"""What a dry run and a stream ask S3 with: the store within its limits, a limiter of its own, no destination."""

from s3haul.aws.session import OpenStore
from s3haul.core.adaptive import AdaptiveLimit
from s3haul.engine.context import Calls
from s3haul.events import Emit
from s3haul.options import SourceOptions
from s3haul.store.limited import LimitedStore, fitting
from s3haul.store.limiter import ConcurrencyLimiter


def calls_for(bucket: OpenStore, source: SourceOptions, emit: Emit) -> Calls:
    """The calls of one run on an open bucket. For the event loop of the run."""
    options = fitting(bucket.transfer, bucket.transfer.bandwidth)
    return Calls(
        store=LimitedStore(bucket.store, options.limits),
        credentials=bucket.credentials,
        source=source,
        options=options,
        limiter=ConcurrencyLimiter(AdaptiveLimit(ceiling=options.concurrency)),
        emit=emit,
    )
