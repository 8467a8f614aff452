"""What sharding costs: the same bucket by `s3haul cp` and by `s3haul cluster run`,
and by one worker or node beside two.

    python benchmarks/cluster_cost.py [cpu] [minutes] [workers] [nodes] [--objects 10000]

The embedded cloud serves. For `cpu`, what counts is the CPU of the client, since the wall clock is the
server's. For the others every GET waits, and a worker may make 16 at a time: then neither the server nor the
machine is the limit. `minutes` are two shards of a minute, `nodes` are of a Ray cluster on loopback (pip
install 's3haul[ray]').
"""

import argparse
import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = """\
[profile user-b]
region = {region}
aws_access_key_id = {key}
aws_secret_access_key = {secret}

[profile export]
role_arn = {role_arn}
source_profile = user-b
external_id = {external_id}
region = {region}
endpoint_url = {endpoint_url}
"""
SIZE = 4096


class Cost(NamedTuple):
    """Seconds."""

    wall: float
    cpu: float


class Place:
    """A bucket, and a directory to work in."""

    def __init__(self, root: Path, cloud: dict[str, Any]) -> None:
        self.root, self.cloud = root, cloud
        keys = {
            "key": cloud["credentials"]["access_key_id"],
            "secret": cloud["credentials"]["secret_access_key"],
        }
        (root / "config").write_text(CONFIG.format(**cloud, **keys) + f"ca_bundle = {cloud['ca_path']}\n")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
            "AWS_CONFIG_FILE": str(root / "config"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def run(self, *arguments: str) -> Cost:
        """One command of s3haul."""
        before, began = _cpu(), time.perf_counter()
        command = [sys.executable, "-m", "s3haul", *arguments]
        done = subprocess.run(command, env=self.environment, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{command}: {done.stderr}")
        return Cost(time.perf_counter() - began, _cpu() - before)

    def copy(self, name: str, *more: str) -> Cost:
        source = f"s3://{self.cloud['bucket']}"
        return self.run("cp", source, str(self.root / name), "--profile", "export", *more)

    def run_cluster(
        self, name: str, shards: int, objects: int, workers: int, *plan: str, executor: tuple[str, ...] = ()
    ) -> Cost:
        """The run alone: planning is the listing, which a copy makes as well."""
        run = str(self.root / f"{name}-run")
        source = f"s3://{self.cloud['bucket']}"
        per_shard = str(objects // shards + 1)
        command = ("cluster", "plan", source, str(self.root / name), "--run", run, "--profile", "export")
        self.run(*command, "--shard-objects", per_shard, "--shard-bytes", "1T", *plan)
        local = str(self.root / "local")
        return self.run("cluster", "run", run, "--workers", str(workers), "--local", local, *executor)

    def disturb(self, **rule: object) -> None:
        """Add a fault rule."""
        request = urllib.request.Request(
            f"{self.cloud['endpoint_url']}/_demo/faults", data=json.dumps(rule).encode(), method="POST"
        )
        import ssl  # noqa: PLC0415

        context = ssl.create_default_context(cafile=self.cloud["ca_path"])
        urllib.request.urlopen(request, context=context).close()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@contextlib.contextmanager
def place(objects: int) -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as name:
        root, announced = Path(name), Path(name) / "cloud.json"
        command = [sys.executable, "-m", "s3haul.demo.server", "--seed", f"bench:{objects}:{SIZE}"]
        with subprocess.Popen([*command, "--announce", str(announced)], stdin=subprocess.PIPE) as server:
            while not announced.exists():
                time.sleep(0.05)
            yield Place(root, json.loads(announced.read_text()))
            server.terminate()


def cpu(objects: int) -> Iterator[str]:
    """The CPU of the client, three rounds of each."""
    for number in range(3):
        with place(objects) as here:
            rows = {
                "s3haul cp": here.copy("copy"),
                "1 worker, 1 shard": here.run_cluster("one", 1, objects, 1),
                "1 worker, 10 shards": here.run_cluster("ten", 10, objects, 1),
            }
        for name, cost in rows.items():
            each = cost.cpu / objects * 1e6
            yield f"{number + 1}: {name:24} {cost.wall:6.2f} s, {cost.cpu:6.2f} s of CPU, {each:5.0f} us an object"


def minutes(_objects: int) -> Iterator[str]:
    """Shards of a minute, as they are meant to be."""
    objects = 2 * 60 * 160
    with place(objects) as here:
        here.disturb(effect="delay", operation="GetObject", seconds=0.1)
        copy, two = (
            here.copy("copy", "--concurrency", "16"),
            here.run_cluster("two", 2, objects, 1, "--concurrency", "16"),
        )
    for name, cost in (("s3haul cp", copy), ("1 worker, 2 shards", two)):
        yield f"{name:24} {cost.wall:6.2f} s, {cost.cpu:6.2f} s of CPU"
    yield f"a shard costs {(two.wall - copy.wall) / 2:.2f} s more, {two.wall / copy.wall - 1:+.1%}"


def workers(objects: int) -> Iterator[str]:
    """Two workers beside one."""
    with _paced(objects) as here:
        one, two = (here.run_cluster(f"of-{n}", 20, objects // 5, n, "--concurrency", "16") for n in (1, 2))
    yield f"{one.wall:.2f} s by one worker, {two.wall:.2f} s by two: {one.wall / two.wall:.2f} times"


def nodes(objects: int) -> Iterator[str]:
    """Two nodes of a Ray cluster beside one."""
    os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    from ray.cluster_utils import Cluster  # noqa: PLC0415 - an extra

    objects //= 2
    with _paced(5 * objects) as here:
        os.environ.clear()  # for the processes of Ray
        os.environ.update(here.environment)
        common = {"node_ip_address": "127.0.0.1", "object_store_memory": 100 << 20}
        cluster = Cluster(
            initialize_head=True, head_node_args=common | {"num_cpus": 0, "include_dashboard": False}
        )
        executor, took = ("--executor", "ray", "--ray-address", cluster.address), []
        for count in (1, 2):
            cluster.add_node(**common, num_cpus=1)
            took.append(
                here.run_cluster(
                    f"of-{count}", 20, objects, count, "--concurrency", "16", executor=executor
                ).wall
            )
        cluster.shutdown()
    yield f"{took[0]:.2f} s by one node, {took[1]:.2f} s by two: {took[0] / took[1]:.2f} times"


@contextlib.contextmanager
def _paced(objects: int) -> Iterator[Place]:
    """A fifth of the objects, on a server that waits before each of them."""
    with place(objects // 5) as here:
        here.disturb(effect="delay", operation="GetObject", seconds=0.2)
        yield here


MEASUREMENTS = {"cpu": cpu, "minutes": minutes, "workers": workers, "nodes": nodes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*MEASUREMENTS, []], default=[])
    parser.add_argument("--objects", type=int, default=10_000)
    given = parser.parse_args()
    for name in given.names or MEASUREMENTS:
        for line in MEASUREMENTS[name](given.objects):
            print(f"{name}: {line}", flush=True)


if __name__ == "__main__":
    main()
