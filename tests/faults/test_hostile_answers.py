"""Thousands of hostile answers, each of which ends in an error of our own or in a correct object.

`make torture` sends 10,000 of them. `S3HAUL_HOSTILE_ANSWERS` is their number over all lanes,
`S3HAUL_HOSTILE_SEED` the first seed: an answer depends on lane and seed alone, and a failure names both.
"""

import asyncio
import ctypes
import gc
import os
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path

import pytest

from contract.loading import load
from engine.harness import leftovers, nap, tree
from faults.curl import curl_on
from faults.hostile import hostile, sound, stored
from faults.hostile_server import hostile_server
from s3haul.core.keypath import safe_path
from s3haul.core.listing_validator import ListingValidator
from s3haul.core.retry import RetryLimits
from s3haul.disk import Destination
from s3haul.engine.context import Context
from s3haul.engine.object import transfer
from s3haul.engine.small_objects import SmallObjectFetcher
from s3haul.engine.target import Decision, Target, is_plain
from s3haul.errors import S3HaulError, StoreError
from s3haul.models import ObjectRef, State, Verdict
from s3haul.options import LimitOptions, RangeOptions, SourceOptions, TransferOptions
from s3haul.store.limiter import ConcurrencyLimiter, KmsThrottling, LargeTransferLimiter
from s3haul.store.protocol import GetRequest, HeadRequest
from s3haul.store.rate_limited import RateLimitedStore
from s3haul.store.retrying import RetryingStore, RetrySettings

LANES = ("load", "head", "layout", "listing", "whole", "ranges", "batch")
ANSWERS = int(os.environ.get("S3HAUL_HOSTILE_ANSWERS", "420"))
SEED = int(os.environ.get("S3HAUL_HOSTILE_SEED", "0"))
AT_ONCE = 32
MOST_GROWTH = 8 << 20  # bytes of memory, once warm
OPTIONS = TransferOptions(
    concurrency=AT_ONCE,
    max_attempts=2,
    retry_timeout=0.0,
    stall_timeout=1.0,
    minimum_rate=10_000,
    ranges=RangeOptions(above=50_000, smallest=16_384, largest=16_384, block=4096),
)


class Steady:
    """Never slows down, whatever the server says."""

    limit = float(AT_ONCE)
    ceiling = AT_ONCE
    paused_until = 0.0

    def throttled(self, now, retry_after=None, *, sent=None): ...

    def interrupted(self, now): ...

    def served(self, now, count, *, saturated): ...


class Book:
    """In place of the journal: the temporary files that are kept for the next run."""

    def __init__(self) -> None:
        self.kept: set[str] = set()

    def begin_partial(self, partial) -> None:
        self.kept.add(partial.temporary)

    def record_block(self, temporary, block) -> None: ...

    def forget_partial(self, temporary) -> None:
        self.kept.discard(temporary)


class NotDoneError(S3HaulError):
    """There is an outcome, and it is no file or no layout."""


class Bench:
    """What a lane needs: a store, a destination, and where to say what went wrong."""

    def __init__(self, ctx: Context, store) -> None:
        self.ctx, self.store = ctx, store
        self.problems: list[str] = []
        self.landed: set[str] = set()
        self.ended: Counter[str] = Counter()

    async def checked(self, name: str, work) -> None:
        """`work` ends in an error of our own or keeps its promises."""
        try:
            async with asyncio.timeout(30):
                await work(name)
        except (StoreError, S3HaulError) as error:
            self.ended[str(error).partition(":")[0]] += 1
        except BaseException:  # noqa: BLE001 - none else is allowed
            lane, _, seed = name.partition("/")
            again = f"S3HAUL_HOSTILE_SEED={seed} S3HAUL_HOSTILE_ANSWERS=1 pytest {__file__} -k {lane}"
            self.problems.append(f"\n{again}\n{traceback.format_exc()}")
        else:
            self.ended["object"] += 1

    async def load(self, name: str) -> None:
        """The transport promises the body as it was framed, and says what the headers said."""
        byte_range = (1, 600) if name.endswith("5") else None
        request = GetRequest(name, if_match=stored(name).etag, byte_range=byte_range)
        came = await load(self.store, request)
        assert came.meta.status in {200, 206}
        told = came.meta.length
        # Without a Content-Length only Content-Range tells a length,
        # which the engine compares with the bytes.
        framed = b"content-length" in hostile(name, sound(name, byte_range)).chunks[0].lower()
        # libcurl takes a length of 2**63 or more for none.
        assert not framed or told in {None, len(came.body)} or told >= 1 << 63

    async def head(self, name: str) -> None:
        await self.store.head(HeadRequest(name, checksums=True))

    async def layout(self, name: str) -> None:
        layout = await self.store.part_layout(name)
        if layout is None:
            raise NotDoneError("no layout")
        assert [part.number for part in layout.parts] == list(range(1, len(layout.parts) + 1))

    async def listing(self, name: str) -> None:
        page = await self.store.list_page(name)
        ListingValidator().accept(page)
        for ref in page.entries:
            assert 0 <= ref.size < 1 << 63
            assert safe_path(ref.key).parts

    async def whole(self, name: str) -> None:
        self.check(name, await transfer(self.ctx, target(name)))

    ranges = whole

    def check(self, name: str, outcome) -> None:
        """What is done has the right bytes, and nothing else has a name."""
        path = self.ctx.destination.root / outcome.path
        if outcome.state is not State.DONE:
            assert not path.exists(), f"{outcome.state} but there: {outcome.detail}"
            raise NotDoneError(f"{outcome.reason}: {outcome.detail}")
        self.landed.add(outcome.path)
        body = path.read_bytes()
        if outcome.verdict is Verdict.VERIFIED:
            assert body == stored(name).body
        else:
            assert len(body) == len(stored(name).body)
            assert not hostile(name, sound(name)).spoiled, (
                "bytes that have a checksum were not compared with it"
            )

    async def batch(self, names: list[str]) -> None:
        """In batches; what is handed back goes through the general path, as in a run."""
        async with asyncio.TaskGroup() as group:

            def finish(outcomes) -> None:
                for outcome in outcomes:
                    group.create_task(self.checked(outcome.ref.key, checked(outcome)))

            def checked(outcome):
                async def check(name: str) -> None:
                    self.check(name, outcome)

                return check

            async def process(returned: Target) -> None:
                await self.checked(returned.ref.key, self.whole)
                fetcher.finished(returned.ref.key)
                fetcher.wake()

            fetcher = SmallObjectFetcher(
                self.ctx, finish, lambda returned: group.create_task(process(returned))
            )
            with closing(fetcher):
                await fetcher.join(group.create_task(fetcher.submit([target(name) for name in names])))

    async def run(self, lane: str, numbers: range) -> None:
        names = [f"{lane}/{number}" for number in numbers]
        if lane == "batch":
            await self.batch(names)
            return
        waiting = iter(names)

        async def work() -> None:
            for name in waiting:
                await self.checked(name, getattr(self, lane))

        await asyncio.gather(*[work() for _ in range(AT_ONCE)])


def target(name: str) -> Target:
    body, etag = stored(name)
    made = Target(ObjectRef(name, len(body), etag, 1e9), safe_path(name), Decision.FETCH)
    assert is_plain(made)
    return made


@asynccontextmanager
async def bench(root: Path):
    async with hostile_server() as port, curl_on(f"http://127.0.0.1:{port}", transfer=OPTIONS) as store:
        with ExitStack() as stack:
            destination = stack.enter_context(Destination.open(root))
            limiter = ConcurrencyLimiter(Steady())
            rate_limited = RateLimitedStore(store, LimitOptions())
            settings = RetrySettings(
                url="s3://b/",
                limits=RetryLimits(attempts=OPTIONS.max_attempts, timeout=OPTIONS.retry_timeout),
                limiter=limiter,
                kms_throttling=KmsThrottling(limiter),
                credentials=None,
                emit=lambda _: None,
                sleep=nap,
            )
            ctx = Context(
                store=RetryingStore(rate_limited, settings),
                rate_limited=rate_limited,
                source=SourceOptions(bucket="b"),
                options=OPTIONS,
                limiter=limiter,
                kms_throttling=settings.kms_throttling,
                large_limiter=LargeTransferLimiter(limiter, OPTIONS.ranges.memory),
                emit=lambda _: None,
                destination=destination,
                journal=Book(),
                threads=stack.enter_context(ThreadPoolExecutor(4)),
            )
            yield Bench(ctx, store)


def descriptors() -> int:
    gc.collect()
    return sum(1 for _ in Path("/dev/fd").iterdir())


def memory() -> int:
    """Bytes that are resident, without those that were given back to the allocator."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is None:  # not on glibc
        return 0
    trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.timeout(60 + ANSWERS // 10)
@pytest.mark.parametrize("lane", LANES)
async def test_a_hostile_response_ends_in_a_documented_error_or_in_a_correct_object(lane, tmp_path, capfd):
    unheard: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(str(context)))
    numbers = range(SEED, SEED + -(-ANSWERS // len(LANES)))
    warm, open_before = len(numbers) // 4, descriptors()
    async with bench(tmp_path / "dest") as tried:
        await tried.run(lane, numbers[:warm])
        memory_before = memory()
        await tried.run(lane, numbers[warm:])
        growth = memory() - memory_before
    assert not tried.problems, (
        f"{len(tried.problems)} problems; the first ones: {''.join(tried.problems[:5])}"
    )
    assert (
        min(tried.ended["object"], len(numbers) - tried.ended["object"]) > len(numbers) // 10
        or len(numbers) < 50
    )
    assert sum(tried.ended.values()) == len(numbers)
    assert set(tree(tmp_path / "dest")) == tried.landed
    assert {path.name for path in leftovers(tmp_path / "dest")} == tried.ctx.journal.kept
    assert descriptors() == open_before
    assert growth < MOST_GROWTH
    assert unheard == []
    assert "Traceback" not in capfd.readouterr().err
