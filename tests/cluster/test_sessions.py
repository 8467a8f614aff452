"""Sessions of the role on workers: they end in the middle of a shard, they are refused,
they come from another role."""

import json

import pytest

from cluster.harness import Cluster
from e2e.harness import Machine, small_cloud, wait_until
from s3haul.demo import seed
from s3haul.demo.model import Role

REFUSED = {
    "status": 403,
    "code": "AccessDenied",
    "message": f"User: user-b is not authorized to perform: sts:AssumeRole on resource: {seed.ROLE_ARN}",
}


def impatient(cluster: Cluster) -> None:
    """Workers of this plan do not wait for a session."""
    path = cluster.run / "run.json"
    text = path.read_text()
    assert '"credential_timeout": 900.0' in text
    path.write_text(text.replace('"credential_timeout": 900.0', '"credential_timeout": 0.1'))


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_sessions_that_end_in_the_middle_of_shards_are_renewed_by_each_worker(cluster, server, announced):
    server.cloud.session_seconds = 2
    server.cloud.announce_session_seconds = announced
    cluster.plan("--shard-objects", "40", "--concurrency", "3")
    server.faults.add("delay", operation="GetObject", seconds=0.35)
    ran = cluster.drive()
    assert (ran.code, ran.summary["problems"]) == (0, {}), ran.text
    cluster.assert_exact()
    sessions = {call.access_key_id for call in server.calls if call.operation == "GetObject"}
    assert len(sessions) >= 4, "two workers, two sessions each"
    assert cluster.do("report", "--json").summary["attempts"] == {}, "no shard was tried again for it"


def test_a_worker_whose_first_session_is_refused_once_costs_one_attempt(cluster, server):
    cluster.plan()
    server.faults.add("error", operation="AssumeRole", exactly=2, **REFUSED)
    ran = cluster.drive()
    assert ran.code == 0, ran.text
    assert "S3H-STS-03" in ran.err
    cluster.assert_exact()
    report = cluster.do("report", "--json").summary
    assert [event["id"] for event in report["events"]] == ["S3H-STS-03"]


def test_a_role_that_is_withdrawn_ends_the_run_with_the_refusal_and_resume_continues(cluster, server):
    cluster.plan("--concurrency", "2")
    impatient(cluster)
    server.faults.add("delay", operation="GetObject", seconds=0.2)
    with cluster.machine.start(*cluster.command("run", *cluster.workers)) as process:
        wait_until(cluster.done, "a shard done")
        server.faults.add("error", operation="AssumeRole", **REFUSED)
        server.cloud.expire_sessions()
        before = server.count("AssumeRole")
        _, said = process.communicate(timeout=60)
    assert process.returncode == 4, said
    assert "S3H-STS-03" in said
    assert "s3haul cluster check" in said
    assert server.count("AssumeRole") - before <= 12, "nobody insists"
    server.faults.clear()
    resumed = cluster.do("resume", *cluster.workers, "--json")
    assert resumed.code == 0, resumed.text
    cluster.assert_exact()
    assert server.count("GetObject", status=200) <= len(server.cloud.buckets[seed.BUCKET].objects) + 4


def test_a_worker_that_never_gets_credentials_beside_one_that_works_ends_the_run_early_and_resume_continues(
    cluster, server, tmp_path
):
    """The source gives keys to the plan and to the first worker, and keys that nobody knows to the others."""
    asked, program = tmp_path / "asked", tmp_path / "keys"
    asked.touch()
    known = {"Version": 1, "AccessKeyId": seed.USER_B_KEY_ID, "SecretAccessKey": seed.USER_B_SECRET}
    unknown = known | {"AccessKeyId": "AKIANOBODY0000000000"}
    program.write_text(
        f"#!/bin/sh\necho >> {asked}\n"
        f"if [ $(wc -l < {asked}) -le 2 ]; then echo '{json.dumps(known)}'; else echo '{json.dumps(unknown)}'; fi\n"
    )
    program.chmod(0o700)
    (cluster.machine.home / "credentials").unlink()
    config = cluster.machine.home / "config"
    config.write_text(
        config.read_text().replace("[profile user-b]", f"[profile user-b]\ncredential_process = {program}")
    )
    planned = cluster.plan("--concurrency", "1")
    assert planned.code == 0, planned.text
    server.faults.add("delay", operation="GetObject", seconds=4.0)  # no shard ends meanwhile
    ran = cluster.drive()
    assert (ran.code, "S3H-STS-01" in ran.err) == (4, True), ran.text
    assert server.count("AssumeRole", status=403) <= 5
    server.faults.clear()
    program.write_text(f"#!/bin/sh\necho '{json.dumps(known)}'\n")
    assert cluster.do("resume", *cluster.workers).code == 0
    cluster.assert_exact()


def test_a_machine_that_may_not_assume_the_role_reports_it_and_does_not_affect_others(
    cluster, tmp_path, server
):
    cluster.plan("--shard-objects", "12")
    (tmp_path / "other").mkdir()
    other = Machine(server, tmp_path / "other")
    other.configure(external_id="wrong")
    refused = other.run(*cluster.command("shard", "0/2", "--local", str(cluster.local)))
    assert (refused.code, "S3H-STS-03" in refused.err) == (4, True), refused.text
    assert cluster.do("shard", "1/2", "--local", str(cluster.local)).code == 0
    assert cluster.do("merge").code == 1
    other.configure(external_id=seed.EXTERNAL_ID)
    assert other.run(*cluster.command("shard", "0/2", "--local", str(cluster.local))).code == 0
    assert cluster.do("merge").code == 0
    cluster.assert_exact()


def test_a_worker_that_runs_with_a_role_has_sessions_of_an_hour_and_a_warning(cluster, server):
    """The base identity of a machine in a cloud is an assumed role:
    STS allows sessions of one hour from there."""
    machine_role = f"arn:aws:iam::{seed.ACCOUNT_B}:role/machine"
    may_assume = small_cloud().users[seed.USER_B_KEY_ID].policies[0]
    may_assume["Statement"][0]["Resource"] = "*"
    user_b = f"arn:aws:iam::{seed.ACCOUNT_B}:user/user-b"
    trust = {"Effect": "Allow", "Principal": {"AWS": user_b}, "Action": "sts:AssumeRole"}
    server.cloud.add_role(
        Role(
            seed.ACCOUNT_B,
            "machine",
            {"Version": "2012-10-17", "Statement": [trust]},
            [may_assume],
            max_session=43_200,
        )
    )
    server.cloud.users[seed.USER_B_KEY_ID].policies[:] = [may_assume]
    export = server.cloud.roles[seed.ROLE_ARN]
    export.max_session = 43_200
    export.trust["Statement"][0]["Principal"]["AWS"] = machine_role
    config = cluster.machine.home / "config"
    config.write_text(
        config.read_text().replace(
            "source_profile = user-b", "source_profile = machine\nduration_seconds = 43200"
        )
        + f"\n[profile machine]\nrole_arn = {machine_role}\nsource_profile = user-b\nduration_seconds = 3600\n"
    )
    planned = cluster.plan("--shard-objects", "40")
    assert planned.code == 0, planned.text
    assert "sessions last one hour" in planned.err
    assert cluster.drive().code == 0
    cluster.assert_exact()
    assert "sessions last one hour" in cluster.do("report").out
