"""What sharding costs: the same bucket by `s3haul cp` and by `s3haul cluster run`, and by one worker beside two.

    python benchmarks/cluster_cost.py [--objects 10000]

The embedded cloud serves. For the cost, what counts is the CPU of the client, since the wall clock is the server's. For
the gain of a second worker every GET waits 0.2 s, and a worker may make 16 at a time: then neither the server nor the
machine is the limit.
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
        subprocess.run(command, env=self.environment, check=True, capture_output=True)
        return Cost(time.perf_counter() - began, _cpu() - before)

    def copy(self, name: str) -> Cost:
        return self.run("cp", f"s3://{self.cloud['bucket']}", str(self.root / name), "--profile", "export")

    def haul(self, name: str, shards: int, objects: int, workers: int, *plan: str) -> Cost:
        """The run alone: planning is the listing, which a copy makes as well."""
        run = str(self.root / f"{name}-run")
        source = f"s3://{self.cloud['bucket']}"
        per_shard = str(objects // shards + 1)
        command = ("cluster", "plan", source, str(self.root / name), "--run", run, "--profile", "export")
        self.run(*command, "--shard-objects", per_shard, "--shard-bytes", "1T", *plan)
        local = str(self.root / "local")
        return self.run("cluster", "run", run, "--workers", str(workers), "--local", local)

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=10_000)
    objects = parser.parse_args().objects
    with place(objects) as here:
        rows = {
            "s3haul cp": here.copy("copy"),
            "1 worker, 1 shard": here.haul("one", 1, objects, 1),
            "1 worker, 10 shards": here.haul("ten", 10, objects, 1),
        }
        for name, cost in rows.items():
            print(
                f"{name:24} {cost.wall:6.2f} s, {cost.cpu:6.2f} s of CPU, {cost.cpu / objects * 1e6:5.0f} us an object"
            )
    paced = max(objects // 5, 400)
    with place(paced) as here:
        here.disturb(effect="delay", operation="GetObject", seconds=0.2)
        one = here.haul("one", 20, paced, 1, "--concurrency", "16")
        two = here.haul("two", 20, paced, 2, "--concurrency", "16")
        print(
            f"paced, {paced} objects     {one.wall:.2f} s by one worker, {two.wall:.2f} s by two: {one.wall / two.wall:.2f} times"
        )


if __name__ == "__main__":
    main()
