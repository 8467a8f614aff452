"""The executor on a Ray cluster: an attempt is a task that needs one CPU. Ray places it, and reports its end.

Ray must not retry a task by itself: the retry would have the same attempt number as the first one, which may
still run on a node that Ray cannot reach. Only a few numbers and paths pass through Ray's object store, and
no secret: each task gets its credentials on its node.

A task avoids nodes by Ray's label of a node's id
(https://docs.ray.io/en/latest/ray-core/scheduling/labels.html), and waits for the others. A
`fallback_strategy` would not do: Ray 2.60 takes it as soon as the others are busy.
"""

import asyncio
import random
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.executor import NO_NODES, Ended
from s3haul.cluster.plan import Attempt
from s3haul.cluster.shard import Node, attempt_shard, open_node
from s3haul.cluster.worker import NodeCheck, check_node, report_failure, start_jitter
from s3haul.errors import S3HaulError, SourceError, UsageError

_OPTIONS: dict[str, Any] = {"max_retries": 0, "retry_exceptions": False}
CONNECT_SECONDS = 10.0
CHECK_SECONDS = 300.0  # for the nodes to answer: the check itself waits for S3 and STS, with repetitions
NO_ANSWER = "S3H-RUN-06"
_SAME_VERSIONS = (
    "install the same Python, Ray and s3haul everywhere; its logs are in /tmp/ray/session_latest/logs"
)


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
            _connect_once(address)
            ray.init(address=address, log_to_driver=False, configure_logging=False)
        except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            raise UsageError(
                f"There is no Ray cluster at {address}: {error}",
                hint="ray start --head makes one; --ray-address HOST:PORT names it",
            ) from error
    return ray


def _connect_once(address: str) -> None:
    """Ray itself tries a quarter of an hour. Raises `OSError`."""
    host, _, port = address.rpartition(":")
    if port.isdecimal() and "/" not in host:
        socket.create_connection((host.strip("[]"), int(port)), CONNECT_SECONDS).close()


class _Task(NamedTuple):
    """What a task does, and the nodes on which it must not run."""

    attempt: Attempt
    avoided: frozenset[str]


class RayExecutor:
    """An `Executor`. It has as many slots as the cluster has CPUs now, unless their number is given.
    Nodes are named by Ray's ids."""

    starts_at_once = False

    def __init__(self, root: Path, local: Path, slots: int | None, address: str, broker: str) -> None:
        self._ray = _connected(address)
        self._given = slots
        self._arguments = (str(root), str(local), broker)
        self._task = self._ray.remote(**_OPTIONS, num_cpus=1, scheduling_strategy="SPREAD")(_attempt_here)
        self._tasks: dict[Any, _Task] = {}

    def slots(self, avoided: frozenset[str] = NO_NODES) -> int:
        if self._given:
            return self._given
        cpus = self._cpus()
        return sum(cpus[node] for node in cpus.keys() - avoided) or max(1, sum(cpus.values()))

    def _cpus(self) -> dict[str, int]:
        """Of the nodes that can run tasks now."""
        return {node["NodeID"]: int(node["Resources"]["CPU"]) for node in _working_nodes(self._ray)}

    def start(self, attempt: Attempt, avoided: frozenset[str] = NO_NODES) -> None:
        arguments = (*self._arguments, attempt, self.slots())
        if not self._cpus().keys() - avoided:
            avoided = NO_NODES
        # Without spaces: Ray takes them as a part of the id.
        others = {"ray.io/node-id": f"!in({','.join(sorted(avoided))})"} if avoided else None
        task = self._task.options(label_selector=others).remote(*arguments)
        self._tasks[task] = _Task(attempt, avoided)

    def kill(self, attempt: Attempt) -> None:
        for task in [task for task, what in self._tasks.items() if what.attempt == attempt]:
            del self._tasks[task]
            self._ray.cancel(task, force=True)

    def ended(self, timeout: float) -> list[Ended]:
        if not self._tasks:
            time.sleep(timeout)
            return []
        ready, _ = self._ray.wait(list(self._tasks), num_returns=1, timeout=timeout)
        return [self._how_it_ended(task) for task in ready] or self._without_a_node()

    def _without_a_node(self) -> list[Ended]:
        """Cancels tasks that no node will run: every node that is left is one that they avoid."""
        nodes = self._cpus().keys()
        lost = [attempt for attempt, avoided in self._tasks.values() if nodes and nodes <= avoided]
        for attempt in lost:
            self.kill(attempt)
        return [Ended(attempt, finished=False, how="only nodes that refuse are left") for attempt in lost]

    def close(self) -> None:
        for attempt, _ in list(self._tasks.values()):
            self.kill(attempt)
        self._ray.shutdown()

    def _how_it_ended(self, task: Any) -> Ended:
        attempt, _ = self._tasks.pop(task)
        try:
            return Ended(attempt, *self._ray.get(task))
        except self._ray.exceptions.RayError as error:
            return Ended(attempt, finished=False, how=_said(error))


def _said(error: Any) -> str:
    """An error of Ray in one line: of the exception of a task the last one,
    after the traceback; else the first one."""
    lines = str(error).strip().splitlines() or [""]
    failed_itself = getattr(error, "cause", None) is not None
    return lines[-1] if failed_itself else f"{type(error).__name__}: {lines[0]}"


def _working_nodes(ray: Any) -> list[dict[str, Any]]:
    """The nodes that live and have a CPU for tasks."""
    return [node for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]


def _attempt_here(root: str, local: str, broker: str, attempt: Attempt, workers: int) -> tuple[Any, ...]:
    """The task. Returns the other fields of its `Ended`."""
    import ray  # noqa: PLC0415 - an extra

    node = ray.get_runtime_context().get_node_id()
    try:
        return run_attempt(root, local, broker, attempt, workers), "", node
    except S3HaulError as error:
        return False, error.message, node, error.id


def run_attempt(root: str, local: str, broker: str, attempt: Attempt, workers: int) -> bool:
    """One attempt, in a Ray worker. Returns whether the shard is finished; an error is in the last report.
    Raises `S3HaulError` if RUN cannot be used here, not even for that report."""
    directory = RunDirectory(Path(root))
    try:
        _node_of_this_process().attempt(directory, Path(local), attempt, workers, broker)
    except S3HaulError as error:
        report_failure(directory, attempt, error)
        return False
    return True


class _WarmNode:
    """The node of a Ray worker. It stays open between tasks,
    so that one session of the role serves all of them.

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
    """The check on every node that has a CPU for tasks. It does not wait for a CPU, which may copy a shard. A
    node without an answer has a problem that says so. Raises `UsageError` if there is no such node."""
    ray = _connected(address)
    try:
        nodes = _working_nodes(ray)
        if not nodes:
            raise UsageError(
                f"The Ray cluster at {address} has no node with a CPU for tasks.",
                hint="ray start --address=HOST:PORT adds one; ray status shows those that there are",
            )
        task = ray.remote(**_OPTIONS, num_cpus=0)(_check_here)
        affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        asked = {
            task.options(scheduling_strategy=affinity(node["NodeID"], soft=False)).remote(
                str(root), str(local), mark
            ): str(node["NodeManagerHostname"])
            for node in nodes
        }
        ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=CHECK_SECONDS)
        return [_answer(ray, task, node, ready=task in ready) for task, node in asked.items()]
    finally:
        ray.shutdown()


def _answer(ray: Any, task: Any, node: str, *, ready: bool) -> NodeCheck:
    why = f"it has not answered for {CHECK_SECONDS:.0f} s"
    if ready:
        try:
            return NodeCheck(**ray.get(task))
        except ray.exceptions.RayError as error:
            why = _said(error)
    found = NodeCheck(node, 0)
    found.add(SourceError(f"The check did not run on this node: {why}", hint=_SAME_VERSIONS, id=NO_ANSWER))
    return found


def _check_here(root: str, local: str, mark: str) -> dict[str, Any]:
    return asdict(asyncio.run(check_node(Path(root), Path(local), mark)))
