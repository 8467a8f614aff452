"""Shards on a Ray cluster with TLS, whose workers have no credentials: one node always refuses, a worker is
killed, a node is removed without grace, the driver is killed: all of it is here."""

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path

import pytest
import ray
import yaml
from ray.autoscaler._private.util import prepare_config, validate_config
from ray.cluster_utils import Cluster

from s3haul.audit import verify
from s3haul.cli.help_topics import topic_text
from s3haul.cluster.driver import REFUSED_SHARDS
from s3haul.cluster.executor import Ended
from s3haul.cluster.plan import Attempt
from s3haul.cluster.ray import RayExecutor, check_nodes
from surroundings import aws_variables

LOOPBACK = "127.0.0.1"
OBJECTS = 20_000
PER_SHARD = 1_000
SLOTS = 3
MEMORY = 100 << 20  # bytes of Ray's object store, of which nothing is used
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
ca_bundle = {ca_path}
"""
SERVER = ("-m", "s3haul.demo.server", "--seed", f"bench:{OBJECTS}:1000", "--session-seconds", "60")


@pytest.fixture
def bucket(tmp_path):
    """The embedded cloud as a process of its own; the environment of everybody who asks it."""
    announced = tmp_path / "cloud.json"
    command = [sys.executable, *SERVER, "--announce", str(announced)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as server:
        wait_for(announced.exists, "the cloud")
        cloud = json.loads(announced.read_text())
        keys = {
            "key": cloud["credentials"]["access_key_id"],
            "secret": cloud["credentials"]["secret_access_key"],
        }
        for name in ("config", "driver"):
            (tmp_path / name).write_text(CONFIG.format(**cloud, **keys))
        for name in aws_variables():
            del os.environ[name]
        os.environ |= {"AWS_CONFIG_FILE": str(tmp_path / "config"), "AWS_EC2_METADATA_DISABLED": "true"}
        yield cloud["bucket"]
        server.terminate()


@pytest.fixture
def ray_cluster(bucket):
    """A cluster of a head, which runs no tasks."""
    head = {
        "node_ip_address": LOOPBACK,
        "num_cpus": 0,
        "include_dashboard": False,
        "object_store_memory": MEMORY,
    }
    cluster = Cluster(initialize_head=True, head_node_args=head)
    session = cluster.head_node.get_session_dir_path()
    assert processes_of(session)
    yield cluster
    cluster.shutdown()
    wait_for(lambda: not processes_of(session), "the end of every process of Ray")


def add_node(cluster, **environment):
    """A node with a CPU for tasks, and its own variables."""
    node = {"node_ip_address": LOOPBACK, "num_cpus": 1, "object_store_memory": MEMORY}
    return cluster.add_node(**node, env_vars=environment)


def wait_for(ready, what, seconds=120.0):
    """What `ready` returns, as soon as that is something."""
    deadline = time.monotonic() + seconds
    while not (found := ready()):
        assert time.monotonic() < deadline, f"timed out waiting for: {what}"
        time.sleep(0.05)
    return found


def processes_of(session: str) -> set[int]:
    """The other processes that have a file of this session of Ray open; each of Ray's has its log."""
    found = set()
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if any(str(each.readlink()).startswith(session) for each in (path / "fd").iterdir()):
                found.add(int(path.name))
    return found - {os.getpid()}


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "s3haul", "cluster", *arguments]


def run(*arguments: str):
    done = subprocess.run(command(*arguments), check=False, capture_output=True, text=True, timeout=200)
    return done.returncode, done.stdout, done.stderr


def at_work(root: Path) -> list[dict]:
    done = {path.name for path in (root / "done").iterdir()}
    reports = [json.loads(path.read_bytes()) for path in (root / "live").iterdir() if path.name[0] != "."]
    return [
        each
        for each in reports
        if not each["ended"]
        and f"{each['shard']:06d}.json" not in done
        and Path(f"/proc/{each['pid']}").exists()
    ]


def done(root: Path) -> int:
    return len([path for path in (root / "done").iterdir() if path.name[0] != "."])


@pytest.mark.timeout(600)
def test_twenty_thousand_objects_are_copied_exactly_once_whatever_is_killed(bucket, ray_cluster, tmp_path):
    cluster = ray_cluster
    root, dest = tmp_path / "run", tmp_path / "dest"
    planned = run("plan", f"s3://{bucket}", str(dest), "--run", str(root), "--profile", "export",
                  "--shard-objects", str(PER_SHARD))  # fmt: skip
    assert planned[0] == 0, planned
    on_ray = (
        "--executor",
        "ray",
        "--ray-address",
        cluster.address,
        "--local",
        str(tmp_path / "local"),
        "--json",
    )
    driven = {
        "stderr": subprocess.PIPE,
        "text": True,
        "env": os.environ | {"AWS_CONFIG_FILE": str(tmp_path / "driver")},
    }
    assert_check_names_what_is_wrong_with_the_cluster(cluster, root, on_ray)
    workers = [add_node(cluster), add_node(cluster)]
    (tmp_path / "other").write_text("[profile other]\n")
    refusing = add_node(cluster, AWS_CONFIG_FILE=str(tmp_path / "other"))
    checked = run("check", str(root), *on_ray)
    assert checked[0] == 4, checked
    assert sorted(node["exit_code"] for node in json.loads(checked[1])["nodes"]) == [0, 0, 4], checked

    lines = (tmp_path / "config").read_text().splitlines()
    (tmp_path / "config").write_text("\n".join(line for line in lines if not line.startswith("aws_")))
    with subprocess.Popen(command("run", str(root), *on_ray, "--broker"), **driven) as driver:
        wait_for(lambda: done(root) >= 2 or driver.poll() is not None, "two shards done")
        assert driver.poll() is None, driver.communicate()
        driver.kill()
        driver.communicate()
    before = done(root)
    with subprocess.Popen(
        command("run", str(root), *on_ray, "--broker"), stdout=subprocess.PIPE, **driven
    ) as driver:
        worker, *_ = wait_for(lambda: done(root) > before and at_work(root), "a worker at work")
        os.kill(worker["pid"], signal.SIGKILL)
        killed = done(root)
        wait_for(lambda: done(root) > killed, "another shard done")
        cluster.remove_node(workers.pop(), allow_graceful=False)
        out, said = driver.communicate(timeout=200)
    assert driver.returncode == 0, said
    summary = json.loads(out)
    assert summary["objects"]["done"] == OBJECTS
    assert summary["problems"] == {}
    reported = run("report", str(root), "--json")
    assert reported[0] == 0, reported
    report = json.loads(reported[1])
    assert sum(latest - 1 for latest in report["attempts"].values()) >= 2, "what was tried again is told"
    refused = Counter(event["event"] for event in report["events"] if event["id"] == "S3H-CFG-01")
    assert refused["avoided"] in {1, 2}, "once for each driver, if the first one lived long enough"
    # Attempts that were on their way to the node when it was found out fail, too.
    assert refused["retry"] <= 2 * (REFUSED_SHARDS + SLOTS), refused
    assert "refuses" in said

    manifest = gzip.decompress((root / "manifest.jsonl.gz").read_bytes()).splitlines()
    keys = [json.loads(line)["key"] for line in manifest]
    assert (len(keys), keys) == (OBJECTS, sorted(set(keys)))
    counts = verify(dest)
    assert (counts.verified, counts.damaged) == (OBJECTS, 0)
    assert not (dest / ".s3haul" / "shards").exists()
    assert_attempts_run_elsewhere_while_there_is_an_elsewhere(cluster, workers.pop(), refusing, on_ray, root)


def assert_check_names_what_is_wrong_with_the_cluster(cluster, root, on_ray):
    nobody = run("check", str(root), "--executor", "ray", "--ray-address", f"{LOOPBACK}:1")
    assert (nobody[0], nobody[1], "There is no Ray cluster at" in nobody[2]) == (2, "", True), nobody
    head_only = run("check", str(root), *on_ray)
    assert (head_only[0], head_only[1], "no node with a CPU" in head_only[2]) == (2, "", True), head_only
    version = root.parent / "version"
    (version / "s3haul").mkdir(parents=True)
    (version / "s3haul" / "__init__.py").touch()
    other = add_node(cluster, PYTHONPATH=str(version))
    checked = run("check", str(root), *on_ray)
    assert checked[0] == 6, checked
    ((problem,),) = (node["problems"] for node in json.loads(checked[1])["nodes"])
    assert problem["id"] == "S3H-RUN-06", checked
    assert "No module named 's3haul.cluster'" in problem["message"], checked
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("s3haul.cluster.ray.CHECK_SECONDS", 0.0)
        (silent,) = check_nodes(cluster.address, root, root, "")
    assert "not answered" in silent.problems[0]["message"]
    cluster.remove_node(other)


def assert_attempts_run_elsewhere_while_there_is_an_elsewhere(cluster, node, refusing, on_ray, root):
    with closing(RayExecutor(root, root.parent / "local", None, cluster.address, "")) as executor:
        good, bad = node.node_id, refusing.node_id
        assert [executor.slots(frozenset(avoided)) for avoided in ((), {bad}, {good, bad})] == [2, 1, 2]
        for number, avoided in ((101, {bad}), (102, {good})):
            executor.start(Attempt(0, number), frozenset(avoided))
            assert ended(executor).node == ({good, bad} - avoided).pop()

        without_run = RayExecutor(root.parent / "not mounted", root.parent, None, cluster.address, "")
        without_run.start(Attempt(0, 1), frozenset({bad}))
        assert ended(without_run)[3:] == (good, "S3H-DST-01"), (
            "what cannot be reported in RUN is known all the same"
        )

        busy = ray.remote(num_cpus=1, label_selector={"ray.io/node-id": good})(lambda: time.sleep(600))
        held = busy.remote()
        wait_for(lambda: ray.available_resources().get("CPU") == 1, "a node that is busy")
        executor.start(Attempt(0, 103), frozenset({"0" * len(bad), bad}))
        checked = run("check", str(root), *on_ray)
        assert len(json.loads(checked[1])["nodes"]) == 2, "a check does not wait for a CPU"
        cluster.remove_node(node, allow_graceful=False)
        assert ended(executor).how == "only nodes that refuse are left"
        executor.start(Attempt(0, 104), frozenset({bad}))
        assert ended(executor).node == bad
        with pytest.raises(ray.exceptions.RayError):
            ray.get(held)


def ended(executor: RayExecutor) -> Ended:
    (one,) = wait_for(lambda: executor.ended(1.0), "the end of an attempt")
    return one


def test_the_cluster_that_the_help_describes_is_one_that_ray_up_takes():
    (text,) = re.findall(r"^```yaml ray\n(.*?)^```", topic_text("cluster"), re.DOTALL | re.MULTILINE)
    validate_config(prepare_config(yaml.safe_load(text)))
