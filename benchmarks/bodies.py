"""What a large body costs one process, layer by layer, beside curl writing the same files; start-up left out.

`python benchmarks/bodies.py` fetches the objects of *large* in ranges through the wire transport: received
only, then hashed, then written as well, then through the whole engine. It keeps CPU seconds per GB as text.
"""

import argparse
import asyncio
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from layers import measured
from measure import warm
from s3haul.s3.keys import Keys
from s3haul.s3.endpoint import parse
from s3haul.aws.wire.store import WireStore, open_wire_store
from s3haul.core.checksums import CRCS
from s3haul.disk.linux import reserve
from s3haul.engine.loop import run_loop
from s3haul.models import ObjectRef
from s3haul.options import SourceOptions, TransferOptions
from s3haul.store import GetRequest, Piece
from scenarios import SCENARIOS, Scenario, quick
from server import Server, memory_directory

RESULT = Path(__file__).parent / "results" / "bodies.txt"
LAYERS = {
    "curl": "curl --parallel, one connection an object, to the same files; with its start, which is short",
    "received": "ranges over four connections, received by threads",
    "hashed": "the same and CRC64NVME",
    "written": "the same and written by position into reserved files",
    "engine": "the same through the engine: plan, blocks, combined checksums, rename",
}
CONNECTIONS = 4
RANGE = 64 << 20


class Copy:
    """What becomes of the bytes in one layer; files are reserved as they come up. A context manager."""

    def __init__(self, root: Path, layer: str) -> None:
        self._root, self._layer = root, layer
        self._files: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            os.close(file)

    def taker(self, ref: ObjectRef, position: int) -> Callable[[Piece], None]:
        """Takes the body of one range."""
        value, crc, layer = 0, CRCS["CRC64NVME"].update, self._layer
        file = self._file(ref) if layer == "written" else -1

        def take(piece: Piece) -> None:
            nonlocal value, position
            if layer != "received":
                value = crc(piece, value)
            if layer == "written":
                position += os.pwrite(file, piece, position)

        return take

    def _file(self, ref: ObjectRef) -> int:
        if ref.key not in self._files:
            name = ref.key.replace("/", "-")
            self._files[ref.key] = os.open(self._root / name, os.O_RDWR | os.O_CREAT)
            reserve(self._files[ref.key], ref.size)
        return self._files[ref.key]


async def fetched(store: WireStore, refs: Sequence[ObjectRef], copy: Copy) -> float:
    """CPU seconds of all objects, range by range."""
    spans = iter([(ref, start) for start in range(0, refs[0].size, RANGE) for ref in refs])

    async def work() -> None:
        for ref, start in spans:
            last = min(start + RANGE, ref.size) - 1
            async with store.get(GetRequest(ref.key, ref.etag, byte_range=(start, last))) as body:
                await body.deliver(copy.taker(ref, start))

    began = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(CONNECTIONS):
            group.create_task(work())
    return time.process_time() - began


def curled(endpoint: str, authorities: Path, refs: Sequence[ObjectRef], root: Path) -> float:
    """CPU seconds of a curl that writes the same files."""
    wanted = [word for ref in refs for word in ("-o", str(root / ref.key), f"{endpoint}/{ref.key}")]
    flags = ["--fail", "--no-progress-meter", "--create-dirs", "--parallel", "--cacert", str(authorities)]
    before = os.times()
    subprocess.run(["curl", *flags, *wanted], check=True, stdin=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


async def figures(endpoint: str, server: Server, scenario: Scenario, rounds: int) -> dict[str, list[float]]:
    """CPU seconds per GB, by layer, one figure a round."""

    async def fetch() -> Keys:
        return Keys("AKIDEXAMPLE", "secret")

    found: dict[str, list[float]] = {layer: [] for layer in LAYERS}
    opened = open_wire_store(
        parse(endpoint, "us-east-1"), str(server.ca), SourceOptions(bucket="-"), TransferOptions(), fetch
    )
    async with opened as store:
        refs = (await store.list_page("")).entries
        for _, layer in itertools.product(range(rounds), LAYERS):
            root = Path(tempfile.mkdtemp(prefix="s3haul-bench-bodies-", dir=memory_directory()))
            try:
                warm(root, scenario.bytes)
                if layer == "curl":
                    seconds = curled(endpoint, server.ca, refs, root)
                elif layer == "engine":
                    seconds = await measured("loop", store, refs, root)
                else:
                    with Copy(root, layer) as copy:
                        seconds = await fetched(store, refs, copy)
            finally:
                shutil.rmtree(root)
            found[layer].append(seconds / scenario.bytes * 1e9)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="small objects; prints instead of recording")
    arguments = parser.parse_args()
    scenario = next(each for each in SCENARIOS if each.name == "large")
    scenario = quick(scenario) if arguments.quick else scenario
    lines = [
        f"{scenario.objects} objects of {scenario.largest >> 20:,} MiB, {arguments.rounds} rounds; CPU s/GB"
    ]

    async def run(server: Server) -> None:
        for scheme in ("https", "http"):
            endpoint = f"{server.endpoint(scheme)}/{scenario.bucket}"
            found = await figures(endpoint, server, scenario, arguments.rounds)
            lines.append(f"\n{scheme}: median, least, most")
            for layer, each in found.items():
                middle = statistics.median(each)
                lines.append(f"{middle:6.2f} {min(each):6.2f} {max(each):6.2f}  {layer}: {LAYERS[layer]}")

    with Server(scenario, workers=1) as server:
        run_loop(run(server))
    text = "\n".join(lines) + "\n"
    print(text, end="")
    if not arguments.quick:
        RESULT.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
