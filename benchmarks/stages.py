"""Where the CPU of a small object goes: `python benchmarks/stages.py`, on a machine that does nothing else.

First a whole run of the command, in this process, with the CPU of each thread (schedstat of proc(5)). Then
the transfer thread alone, fed from a list: libcurl, signing and the headers; then with the decision and the
checksum; then with the file. Prints microseconds an object; records nothing.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from s3haul.cli.app import run as command
from s3haul.core.keypath import safe_path
from s3haul.core.verification import accept_whole, check_complete, prove
from s3haul.disk import Destination
from s3haul.errors import Fault
from s3haul.models import ObjectMeta, ObjectRef
from s3haul.options import SourceOptions, TransferOptions
from s3haul.s3.endpoint import Credentials, parse
from s3haul.s3.libcurl import Network
from s3haul.s3.store import open_curl_store
from scenarios import SCENARIOS
from server import Server, memory_directory

CONNECTIONS = 32
STAGES = ("libcurl, signing, headers", "and the decision, the checksum", "and the file")
SAMPLE = 0.05  # seconds


def thread_seconds(stop: threading.Event) -> dict[str, float]:
    """CPU of every thread by its name, as far as it was seen, until `stop` is set."""
    seen: dict[str, float] = {}
    while not stop.wait(SAMPLE):
        for thread in threading.enumerate():
            try:
                stat = Path(f"/proc/self/task/{thread.native_id}/schedstat").read_text()
            except OSError:  # it has ended
                continue
            seen[thread.name] = int(stat.split()[0]) / 1e9
    return seen


class Work:
    """As `SmallObjectWork`: each response goes as far as `stage` says."""

    def __init__(self, refs: Sequence[ObjectRef], stage: int, destination: Destination) -> None:
        self.ended = threading.Event()
        self.seconds = 0.0
        self._waiting, self._left = deque(refs), len(refs)
        self._running = 0
        self._stage, self._destination, self._options = stage, destination, TransferOptions()

    def next(self) -> ObjectRef | None:
        if not self._waiting or self._running >= CONNECTIONS:
            return None
        self._running += 1
        return self._waiting.popleft()

    def received(self, ref: ObjectRef, meta: ObjectMeta, body: Sequence[bytes]) -> None:
        if self._stage:
            verifier = accept_whole(ref, meta, None, self._options)
            check_complete(ref.size - sum(map(len, body)))
            for chunk in body:
                verifier.update(chunk)
            prove(verifier)
        if self._stage > 1:
            self._destination.write_file(safe_path(ref.key), body, ref.last_modified)
        self._running -= 1
        self._left -= 1
        if not self._left:
            self.seconds = time.thread_time()
            self.ended.set()

    def not_received(self, ref: ObjectRef, fault: Fault | None, access_key: str = "") -> None:  # noqa: ARG002 - none is refused
        raise SystemExit(f"{ref.key} did not come")

    def before_wait(self) -> None:
        pass

    def failed(self, error: BaseException) -> None:
        raise error


async def alone(server: Server, bucket: str, stage: int, root: Path) -> float:
    """Microseconds an object of the transfer thread alone."""

    async def keys() -> Credentials:
        return Credentials("id", "secret")

    endpoint = parse(f"{server.endpoint('https')}/{bucket}", "us-east-1")
    source, network = SourceOptions(bucket=bucket), Network(authorities=str(server.ca))
    async with open_curl_store(endpoint, network, source, TransferOptions(), keys) as store:
        refs: list[ObjectRef] = []
        token = None
        while not refs or token:
            page = await store.list_page("", token=token)
            refs += page.entries
            token = page.token
        with Destination.open(root) as destination:
            work = Work(refs, stage, destination)
            thread = store.small_objects(work)
            assert thread is not None, "the curl transport has one"
            await asyncio.to_thread(work.ended.wait)
            thread.close()
    return work.seconds / len(refs) * 1e6


def main() -> None:
    """Serve, run, print."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": os.devnull,
    }
    scenario = next(one for one in SCENARIOS if one.name == "small")
    with (
        Server(scenario, workers=1) as server,
        tempfile.TemporaryDirectory(dir=memory_directory()) as scratch,
    ):
        stop, before = threading.Event(), time.thread_time()
        seconds: dict[str, float] = {}
        sampler = threading.Thread(target=lambda: seconds.update(thread_seconds(stop)), name="this sampler")
        sampler.start()
        where = ["--endpoint-url", server.endpoint("https"), "--ca-bundle", str(server.ca), "--no-progress"]
        code = command(["cp", f"s3://{scenario.bucket}", f"{scratch}/run", *where])
        stop.set()
        sampler.join()
        seconds[threading.main_thread().name] -= before  # it made the objects
        for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
            print(f"{name:32} {spent / scenario.objects * 1e6:6.1f}")
        for stage, name in enumerate(STAGES):
            spent = asyncio.run(alone(server, scenario.bucket, stage, Path(scratch, str(stage))))
            print(f"the transfer thread alone: {name:32} {spent:6.1f}")
    sys.exit(code)


if __name__ == "__main__":
    main()
