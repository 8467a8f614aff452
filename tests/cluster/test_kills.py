"""Workers and drivers are killed, stopped and made to fail: nothing is lost,
nothing is done twice, every key ends once.

`S3HAUL_CLUSTER_KILLS` makes the campaign longer, `S3HAUL_CLUSTER_SEED` repeats one;
the seed is in every failure.
"""

import contextlib
import os
import random
import secrets
import signal
import subprocess
import time

import pytest

from cluster.harness import Cluster, is_alive
from e2e.harness import small_cloud, wait_until
from s3haul.demo import seed
from s3haul.demo.server import DemoServer

KILLS = int(os.environ.get("S3HAUL_CLUSTER_KILLS", "4"))
SEED = int(os.environ.get("S3HAUL_CLUSTER_SEED") or secrets.randbelow(1 << 32))


@pytest.fixture
def slow(server: DemoServer) -> DemoServer:
    """A bucket that takes its time, so that there is a moment to kill in."""
    server.faults.add("delay", operation="GetObject", seconds=0.2)
    return server


@contextlib.contextmanager
def driving(cluster: Cluster, *arguments: str):
    with cluster.machine.start(*cluster.command("run", *cluster.workers, *arguments)) as process:
        yield process


def stop(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.communicate()


def damage(cluster: Cluster, dice: random.Random) -> None:
    """A report of the progress is gone, or what divides the limits is cut off."""
    found = [path for path in (cluster.run / "live").iterdir() if path.name[0] != "."]
    with contextlib.suppress(FileNotFoundError):
        if found and dice.random() < 0.5:
            dice.choice(found).unlink()
        else:
            os.truncate(cluster.run / "limits.json", 5)


def finish(cluster: Cluster, *arguments: str):
    ran = cluster.drive(*arguments)
    assert ran.code == 0, ran.text
    cluster.assert_exact()
    return ran


def test_a_killed_worker_costs_only_time_and_is_reported(cluster, slow):
    cluster.plan("--concurrency", "4")
    with driving(cluster) as process:
        killed = cluster.kill_a_worker()
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "killed by SIGKILL" in said
    cluster.assert_exact()
    attempts = cluster.do("report", "--json").summary["attempts"]
    assert attempts == {str(killed["shard"]): 2}


def test_workers_end_with_a_killed_driver_and_the_next_driver_continues(cluster, slow, server):
    cluster.plan("--concurrency", "4")
    with driving(cluster) as process:
        wait_until(lambda: len(cluster.done()) >= 1, "a shard done")
        pids = [report["pid"] for report in cluster.alive()]
        stop(process)
    wait_until(lambda: not any(map(is_alive, pids)), "the end of its workers")
    slow.faults.clear()
    finish(cluster)
    done_twice = server.count("GetObject") - len(server.cloud.buckets[seed.BUCKET].objects)
    assert done_twice <= 2 * 4, "what a worker had landed is not fetched again"


def test_a_worker_that_hangs_is_replaced_and_stops_when_it_continues(cluster, slow):
    cluster.plan("--concurrency", "2")
    with driving(cluster, "--hung-after", "2") as process:
        stopped = cluster.kill_a_worker(signal.SIGSTOP)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert "not reported for" in said
    assert not is_alive(stopped["pid"])
    cluster.assert_exact()


def test_an_attempt_that_was_superseded_stops_by_itself(cluster, slow):
    cluster.plan("--concurrency", "1", "--shard-objects", "1000")
    with cluster.machine.start(*cluster.command("shard", "0", "--local", str(cluster.local))) as late:
        wait_until(cluster.alive, "an attempt at work")
        (cluster.run / "attempts" / "000000-0002").touch()
        _, said = late.communicate(timeout=60)
    assert "S3H-RUN-04" in said
    assert cluster.done() == set()


def test_a_shard_that_always_fails_is_given_up_while_the_others_continue(cluster):
    cluster.plan()
    plan = cluster.run / "plan" / "000003.jsonl.gz"
    plan.write_bytes(plan.read_bytes()[:-9])
    ran = cluster.drive("--attempts", "2")
    assert ran.code == 1
    assert "S3H-RUN-05" in ran.err
    assert f"s3haul cluster resume {cluster.run}" in ran.err
    assert "000003.json" not in cluster.done()
    assert len(cluster.done()) == len(list((cluster.run / "plan").glob("0*"))) - 1


def test_a_refusal_that_every_worker_meets_ends_the_run_with_its_exit_code(cluster):
    cluster.plan()
    cluster.machine.configure(external_id="wrong")
    ran = cluster.drive()
    assert ran.code == 4, ran.text
    assert "S3H-STS-03" in ran.err


def test_only_one_driver_at_a_time_and_no_merge_while_a_worker_runs(cluster, server):
    server.faults.add("delay", operation="GetObject", seconds=2.0)
    cluster.plan("--concurrency", "1")
    with driving(cluster) as process:
        wait_until(cluster.alive, "a worker at work")
        second = cluster.drive()
        assert (second.code, f"nother run uses {cluster.run}" in second.err) == (5, True)
        assert cluster.do("merge").code == 5
        assert cluster.machine.cp(cluster.dest).code == 5, "a plain run keeps out, too"
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Resume: s3haul cluster run" in said


@pytest.mark.timeout(60 + 10 * KILLS)
def test_after_any_number_of_kills_every_object_is_copied_exactly_once(cluster, slow):
    dice, cloud = random.Random(SEED), slow.cloud
    more = small_cloud(30 * KILLS)
    cloud.buckets[seed.BUCKET] = more.buckets[seed.BUCKET]
    cluster.plan("--concurrency", "4", "--max-rps", "500")
    kills = drivers = 0
    while kills < KILLS:
        with driving(cluster, "--attempts", "1000") as process:
            while kills < KILLS and process.poll() is None:
                time.sleep(dice.uniform(0.0, 1.0))
                if process.poll() is not None:
                    break
                kills += 1
                damage(cluster, dice)
                if dice.random() < 0.25:
                    drivers += 1
                    break
                with contextlib.suppress(ProcessLookupError):
                    os.kill(dice.choice(cluster.alive() or [{"pid": process.pid}])["pid"], signal.SIGKILL)
            stop(process)
        if process.returncode == 0:
            break
    print(f"{kills} kills, of which {drivers} of the driver, seed {SEED}")
    assert kills > KILLS / 2, f"seed {SEED}: the run was too short to be killed"
    slow.faults.clear()
    finish(cluster)
