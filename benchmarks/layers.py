"""What one small object costs one process, layer by layer: the GET alone, then the engine on top, then the file.

`python benchmarks/layers.py` runs every layer several times against the benchmarks' server, in turn, and
keeps the medians as text. Only the CPU of this process counts; the listing and the journal have no part in it.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from s3haul.s3.keys import Keys
from s3haul.s3.endpoint import parse
from s3haul.aws.wire.store import WireStore, open_wire_store
from s3haul.core.keypath import safe_path
from s3haul.core.tuner import Tuner
from s3haul.disk import Destination
from s3haul.engine.admission import Target, Verb
from s3haul.engine.channel import Channel
from s3haul.engine.context import Landing
from s3haul.engine.gate import Gate
from s3haul.engine.lander import Lander
from s3haul.engine.loop import run_loop
from s3haul.engine.pool import Crew
from s3haul.engine.transfer import transfer
from s3haul.models import Block, ObjectRef, Partial, SafePath, State
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store import GetRequest, Piece
from scenarios import SCENARIOS, quick
from server import Server, memory_directory

RESULT = Path(__file__).parent / "results" / "layers.txt"
LAYERS = {
    "get": "signed GET over TLS, answer parsed, body received",
    "engine": "the same through the engine: retries, checks of headers, CRC64NVME; no file",
    "loop": "the same with the file, landed together on the event loop (an engine process)",
    "one by one": "the same with the file, each landed on the event loop by itself",
    "threads": "the same with the file, landed by writer threads (the command itself)",
}


class Nowhere(Lander):
    """Lands nothing."""

    async def land(self, path: SafePath, body: Sequence[Piece], mtime: float) -> None:
        pass


def nowhere(destination: Destination) -> Lander:
    return Nowhere(destination, 1)


class OneByOne(Lander):
    """Lands each file on the event loop, by itself."""

    async def land(self, path: SafePath, body: Sequence[Piece], mtime: float) -> None:
        self._destination.land(path, body, mtime)


class NoBook:
    """A part book for objects that have no parts."""

    def begin(self, partial: Partial) -> None: ...

    def landed(self, temporary: str, block: Block) -> None: ...

    def forget(self, temporary: str) -> None: ...


async def measured(layer: str, store: WireStore, refs: Sequence[ObjectRef], root: Path) -> float:
    """CPU seconds of all objects."""
    kinds: dict[str, Callable[[Destination], Lander]] = {
        "loop": lambda destination: Lander(destination, 8, direct=True),
        "one by one": lambda destination: OneByOne(destination, 1),
        "threads": lambda destination: Lander(destination, 8),
    }
    make = kinds.get(layer, nowhere)
    with (
        closing(Destination.open(root)) as destination,
        ThreadPoolExecutor(1) as threads,
        closing(make(destination)) as lander,
    ):
        ctx = Landing(
            store=store,
            credentials=None,
            source=SourceOptions(bucket="-"),
            options=TransferOptions(),
            gate=Gate(Tuner(ceiling=32)),
            emit=lambda _: None,
            destination=destination,
            parts=NoBook(),
            threads=threads,
            lander=lander,
        )
        return await _worked_off(ctx, refs, _get(store) if layer == "get" else _see_through(ctx))


def _get(store: WireStore) -> Callable[[Target], Awaitable[None]]:
    async def get(target: Target) -> None:
        async with store.get(GetRequest(target.ref.key, if_match=target.ref.etag)) as body:
            async for _ in body.chunks():
                pass

    return get


def _see_through(ctx: Landing) -> Callable[[Target], Awaitable[None]]:
    async def see_through(target: Target) -> None:
        outcome = await transfer(ctx, target)
        if outcome.state is not State.DONE:
            raise SystemExit(f"{target.ref.key}: {outcome.reason}")

    return see_through


async def _worked_off(
    ctx: Landing, refs: Sequence[ObjectRef], work: Callable[[Target], Awaitable[None]]
) -> float:
    channel: Channel[Target] = Channel(len(refs) + 1)
    for ref in refs:
        await channel.send(Target(ref, safe_path(ref.key), Verb.FETCH))
    channel.close()
    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        Crew(group, ctx.gate, channel, work).hire()
    return time.process_time() - began


async def figures(endpoint: str, authorities: str, scratch: Path, rounds: int) -> dict[str, list[float]]:
    """Microseconds of an object, by layer, one figure a round."""

    async def fetch() -> Keys:
        return Keys("AKIDEXAMPLE", "secret")

    found: dict[str, list[float]] = {layer: [] for layer in LAYERS}
    opened = open_wire_store(
        parse(endpoint, "us-east-1"), authorities, SourceOptions(bucket="-"), TransferOptions(), fetch
    )
    async with opened as store:
        refs = list((page := await store.list_page("")).entries)
        while page.truncated:
            page = await store.list_page("", token=page.token)
            refs += page.entries
        for number in range(rounds):
            for layer in LAYERS:
                root = scratch / f"{number}-{layer}"
                found[layer].append(await measured(layer, store, refs, root) * 1e6 / len(refs))
                shutil.rmtree(root)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few objects; prints instead of recording")
    arguments = parser.parse_args()
    scenario = quick(SCENARIOS[0]) if arguments.quick else SCENARIOS[0]
    lines: list[str] = []

    async def run(server: Server, scratch: str) -> None:
        endpoint = f"{server.endpoint('https')}/{scenario.bucket}"
        found = await figures(endpoint, str(server.ca), Path(scratch), arguments.rounds)
        lines.append(
            f"{scenario.objects:,} objects of 4 KiB, {arguments.rounds} rounds; us of CPU an object:"
        )
        lines.append(f"{'median':>7} {'least':>6} {'most':>6}")
        for layer, micros in found.items():
            middle = statistics.median(micros)
            lines.append(f"{middle:7.0f} {min(micros):6.0f} {max(micros):6.0f}  {layer}: {LAYERS[layer]}")

    with (
        Server(scenario, workers=1) as server,
        tempfile.TemporaryDirectory(prefix="s3haul-bench-layers-", dir=memory_directory()) as scratch,
    ):
        run_loop(run(server, scratch))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if not arguments.quick:
        RESULT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
