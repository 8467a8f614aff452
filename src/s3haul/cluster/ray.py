"""The executor on a Ray cluster: an attempt is a task that needs one CPU. Ray places it, and reports its end.

Ray must not retry a task by itself: the retry would have the same attempt number as the first one, which may still run
on a node that Ray cannot reach. Only a few numbers and paths pass through Ray's object store, and no secret: each task
gets its credentials on its node.
"""

import asyncio
import random
import threading
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from s3haul.cluster.checks import NodeCheck, check_node
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.executor import Ended
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.shard import Node, attempt_shard, open_node
from s3haul.cluster.worker import report_failure, start_jitter
from s3haul.errors import S3HaulError, UsageError

_OPTIONS: dict[str, Any] = {"num_cpus": 1, "max_retries": 0, "retry_exceptions": False}


def node_address(address: str) -> str:
    """The address of this machine in the Ray cluster. Raises `UsageError`."""
    return str(_connected(address).util.get_node_ip_address())


def _connected(address: str) -> Any:
    """The module `ray`, connected to the cluster. Raises `UsageError`."""
    try:
        import ray  # noqa: PLC0415 - an extra
    except ImportError:
        raise UsageError("The Ray executor needs its extra.", hint="pip install 's3haul[ray]'") from None
    if not ray.is_initialized():
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise UsageError(
                f"There is no Ray cluster at {address}: {error}",
                hint="ray start --head makes one; --ray-address HOST:PORT names it",
            ) from error
    return ray


class RayExecutor:
    """An `Executor`. `slots` is the current number of CPUs of the cluster, unless it is given."""

    starts_at_once = False

    def __init__(self, root: Path, local: Path, slots: int | None, address: str, broker: str) -> None:
        self._ray = _connected(address)
        self._given = slots
        self._arguments = (str(root), str(local), broker)
        self._task = self._ray.remote(**_OPTIONS, scheduling_strategy="SPREAD")(run_attempt)
        self._tasks: dict[Any, Attempt] = {}

    @property
    def slots(self) -> int:
        return self._given or max(1, int(self._ray.cluster_resources().get("CPU", 1)))

    def start(self, attempt: Attempt) -> None:
        self._tasks[self._task.remote(*self._arguments, attempt, self.slots)] = attempt

    def kill(self, attempt: Attempt) -> None:
        for task in [task for task, other in self._tasks.items() if other == attempt]:
            del self._tasks[task]
            self._ray.cancel(task, force=True)

    def ended(self, timeout: float) -> list[Ended]:
        if not self._tasks:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=timeout)
        return [self._how_it_ended(task) for task in ready]

    def close(self) -> None:
        for attempt in list(self._tasks.values()):
            self.kill(attempt)
        self._ray.shutdown()

    def _how_it_ended(self, task: Any) -> Ended:
        attempt = self._tasks.pop(task)
        try:
            finished = bool(self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            said = str(error).strip().partition("\n")[0]
            return Ended(attempt, finished=False, how=f"{type(error).__name__}: {said}")
        return Ended(attempt, finished)


def run_attempt(root: str, local: str, broker: str, attempt: Attempt, workers: int) -> bool:
    """One attempt, in a Ray worker. Returns whether the shard is finished; an error is in the last report."""
    directory = RunDirectory(Path(root))
    try:
        _node_of_this_process().attempt(directory, Path(local), attempt, workers, broker)
    except S3HaulError as error:
        report_failure(directory, attempt, error)
        return False
    return True


class _WarmNode:
    """The node of a Ray worker. It stays open between tasks, so that one session of the role serves all of them.

    It uses an event loop in a thread of its own. After an error it is opened again.
    """

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._opened = AsyncExitStack()
        self._node: Node | None = None
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def attempt(
        self, directory: RunDirectory, local: Path, attempt: Attempt, workers: int, broker: str
    ) -> None:
        """Returns when the shard is finished. Raises `S3HaulError`."""
        work = self._attempt(directory, local, attempt, workers, broker)
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _attempt(
        self, directory: RunDirectory, local: Path, attempt: Attempt, workers: int, broker: str
    ) -> None:
        if self._node is None:
            await asyncio.sleep(random.random() * start_jitter(workers))  # noqa: S311 - no secret
            opening = open_node(directory, directory.describe(), local, sharers=workers, broker=broker)
            self._node = await self._opened.enter_async_context(opening)
        try:
            await attempt_shard(self._node, attempt)
        except S3HaulError:
            self._node = None
            await self._opened.aclose()
            raise


@cache
def _node_of_this_process() -> _WarmNode:
    return _WarmNode()


def check_nodes(address: str, root: Path, local: Path, mark: str) -> Sequence[NodeCheck]:
    """The check on every node that has a CPU for tasks."""
    ray = _connected(address)
    strategies = ray.util.scheduling_strategies
    task = ray.remote(**_OPTIONS)(_check_here)
    asked = [
        task.options(
            scheduling_strategy=strategies.NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
        ).remote(str(root), str(local), mark)
        for node in ray.nodes()
        if node["Alive"] and node["Resources"].get("CPU")
    ]
    try:
        return [NodeCheck(**found) for found in ray.get(asked)]
    finally:
        ray.shutdown()


def _check_here(root: str, local: str, mark: str) -> dict[str, Any]:
    return asdict(asyncio.run(check_node(Path(root), Path(local), mark)))
