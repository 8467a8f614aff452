"""What `check` does beside naming rows: its steps, its report, the destination,
large buckets; and `cp` afterwards."""

import json

from check.rows import no_decrypt_right, own_policy_lacks_assume_role, second_key
from check.world import MFA, found, new_cloud
from s3haul.demo import seed
from s3haul.demo.server import DemoServer
from s3haul.disk.errors import FreeSpace

STEPS = [
    "configuration",
    "caller",
    "role",
    "external-id",
    "bucket",
    "listing",
    "network",
    "head",
    "checksum",
    "read",
    "sample",
]


def steps(report) -> dict[str, bool | None]:
    return {step["step"]: step["ok"] for step in report["steps"]}


def test_every_link_is_a_step_of_its_own_in_the_order_of_the_chain(world):
    code, report = world.check(str(world.home / "data"))
    assert (code, report["exit_code"], report["findings"]) == (0, 0, [])
    assert list(steps(report)) == [*STEPS, "destination"]
    assert all(steps(report).values())
    sample = next(step for step in report["steps"] if step["step"] == "sample")
    assert sample["text"] == "8 of 8 objects can be read"
    assert sample["details"] == [
        f"4: KMS key {seed.KMS_KEY_ARN}, STANDARD",
        f"4: KMS key {seed.KMS_KEY_ARN} with a Bucket Key, STANDARD",
    ]


def test_the_steps_end_where_the_chain_breaks(world):
    own_policy_lacks_assume_role(world)
    _, report = world.check()
    assert steps(report) == {"configuration": True, "caller": True, "role": False}
    assert {call.operation for call in world.server.calls} == {"GetCallerIdentity", "AssumeRole"}


def test_the_report_for_people_shows_the_message_of_aws_who_fixes_it_and_how(world):
    second_key(world)
    ran = world.run("check", world.url, *world.flags)
    assert ran.code == 4
    assert "ok configuration" in ran.out
    for line in (
        "[S3H-KMS-06]",
        "  AWS said: AccessDenied: User: ",
        "  Who fixes it: data owner (account 111111111111); affects 1 of 9 objects",
        "    1: KMS key arn:aws:kms:us-east-1:111111111111:key/second, STANDARD",
        "    for example data/other.bin",
        '  Statement: {"Sid": "DecryptOnlyThroughS3"',
        "  More: s3haul help S3H-KMS-06",
    ):
        assert line in ran.out, ran.out


def test_a_key_that_would_drive_the_terminal_is_shown_harmless(world):
    key = "data/\x1b[2J\n.bin"
    world.cloud.put(seed.BUCKET, key, b"x", owner="333333333333")
    ran = world.run("check", world.url, *world.flags)
    assert "\x1b" not in ran.text
    assert "data/\\u001b[2J\\n.bin" in ran.out


def test_quiet_prints_nothing_if_all_is_well(world):
    assert world.run("check", world.url, *world.flags, "--quiet").out == ""
    no_decrypt_right(world)
    ran = world.run("check", world.url, *world.flags, "--quiet")
    assert ran.shown == {"S3H-KMS-01"}
    assert "ok " not in ran.out


def test_one_object_and_an_empty_prefix_can_be_checked(world):
    world.url += "/data/1.bin"
    code, report = world.check()
    assert (code, report["findings"], steps(report)["sample"]) == (0, [], True)
    world.url = f"s3://{seed.BUCKET}/nothing/"
    code, report = world.check()
    assert (code, steps(report)["read"]) == (0, None)


def test_a_missing_object_is_exit_code_6(world):
    world.url += "/data/missing.bin"
    code, report = world.check()
    assert (code, found(report)) == (6, {"S3H-S3-16"})


def test_without_a_role_the_caller_reads_and_a_server_without_sts_is_fine(world):
    world.flags = ["--profile", "owner"]
    world.server.faults.add("error", operation="GetCallerIdentity", status=501, code="NotImplemented")
    code, report = world.check()
    assert (code, report["findings"]) == (0, [])
    assert (steps(report)["caller"], steps(report)["role"]) == (None, None)


def test_a_refused_connection_to_the_endpoint_is_reported_as_by_cp(world):
    with DemoServer(new_cloud()) as gone:
        nowhere = gone.endpoint_url
    world.flags += ["--endpoint-url", nowhere]
    assert found(world.check()[1]) == world.copy().shown == {"S3H-NET-05"}
    world.flags[1] = "owner"  # without a role, so that S3 is the first to be missed
    code, report = world.check()
    assert (code, found(report), steps(report)["bucket"]) == (6, {"S3H-NET-05"}, False)


def test_the_filters_of_the_run_decide_which_objects_count(world):
    world.cloud.put(seed.BUCKET, "data/foreign", b"x", owner="333333333333")
    assert world.check()[0] == 4
    patterns = world.home / "unwanted.txt"
    patterns.write_text("*/foreign\n")
    for flags in (
        ("--exclude", "*/foreign"),
        ("--exclude-from", str(patterns)),
        ("--regex", "^(?!.*foreign)"),
        ("--min-size", "2"),
    ):
        code, report = world.check(*flags)
        assert (code, report["findings"]) == (0, [])
    code, report = world.check("--exclude", "*")
    assert (code, steps(report)["read"]) == (0, None)


def test_a_listing_page_that_is_refused_later_is_reported(world):
    for number in range(1200):
        world.cloud.put(seed.BUCKET, f"many/{number:05}", b"x")
    denied = {"status": 403, "code": "AccessDenied", "message": "Access Denied"}
    world.server.faults.add("error", operation="ListObjectsV2", since=2, **denied)
    code, report = world.check()
    assert (code, found(report)) == (4, {"S3H-S3-02"})


def test_a_large_bucket_is_sampled_in_every_corner_with_few_requests(world):
    for directory in range(6):
        for number in range(1500):
            world.cloud.put(seed.BUCKET, f"d{directory}/x/{number:05}", b"x")
    world.cloud.put(seed.BUCKET, "d5/x/foreign", b"x", owner="333333333333")
    code, report = world.check()
    assert code == 0  # a sample does not see every object, and does not say so
    text = next(step["text"] for step in report["steps"] if step["step"] == "sample")
    assert text == "200 of 200 sampled objects can be read"
    assert world.server.count("ListObjectsV2") <= 17
    asked = {call.key.split("/")[0] for call in world.server.calls if call.operation == "GetObject"}
    assert asked == {"d0", "d1", "d2", "d3", "d4", "d5", "data", "logs"}


# The destination.


def test_the_destination_is_tested_and_nothing_is_left_there(world):
    dest = world.home / "new" / "data"
    code, _ = world.check(str(dest))
    assert code == 0
    assert not dest.parent.exists()
    assert {path.name for path in world.home.iterdir()} == {"config"}


def test_a_destination_that_is_too_small_is_exit_code_5_with_both_figures(world, monkeypatch):
    monkeypatch.setattr("s3haul.disk.probe.Tree.free_space", lambda _tree: FreeSpace(64, 1000))
    code, report = world.check(str(world.home))
    (finding,) = report["findings"]
    assert (code, finding["id"]) == (5, "S3H-DST-02")
    assert "92 B in 8 files are still to come, 64 B and 1,000 inodes are free" in finding["title"]


def test_existing_files_need_no_further_space(world, monkeypatch):
    assert world.copy().code == 0
    world.cloud.put(seed.BUCKET, "data/new.bin", b"new")
    monkeypatch.setattr("s3haul.disk.probe.Tree.free_space", lambda _tree: FreeSpace(64, 1))
    assert world.check(str(world.home / "data"))[0] == 0
    world.cloud.put(seed.BUCKET, "data/newer.bin", b"newer")
    code, report = world.check(str(world.home / "data"))
    assert (code, found(report)) == (5, {"S3H-DST-02"})


def test_too_few_inodes_are_exit_code_5(world, monkeypatch):
    monkeypatch.setattr("s3haul.disk.probe.Tree.free_space", lambda _tree: FreeSpace(10**9, 7))
    code, report = world.check(str(world.home))
    assert (code, found(report)) == (5, {"S3H-DST-02"})


def test_a_destination_that_is_a_file_is_exit_code_5(world):
    file = world.home / "file"
    file.write_bytes(b"")
    code, report = world.check(str(file / "data"))
    assert (code, found(report)) == (5, {"S3H-DST-01"})


def test_the_home_directory_is_refused_unless_forced(world, monkeypatch):
    monkeypatch.setenv("HOME", str(world.home))
    code, report = world.check(str(world.home))
    assert (code, found(report)) == (5, {"S3H-DST-01"})
    assert world.check(str(world.home), "--force")[0] == 0


def test_keys_that_differ_in_case_alone_are_a_warning_where_the_disk_does_not_tell_them_apart(
    world, monkeypatch
):
    monkeypatch.setattr("s3haul.disk.probe._write_and_rename", lambda *_: True)
    assert world.check(str(world.home))[0] == 0
    world.cloud.put(seed.BUCKET, "DATA/0.bin", b"x")
    code, report = world.check(str(world.home))
    assert (code, found(report)) == (3, {"S3H-DST-10"})


def test_access_and_destination_are_both_reported(world):
    no_decrypt_right(world)
    file = world.home / "file"
    file.write_bytes(b"")
    code, report = world.check(str(file / "data"))
    assert (code, found(report)) == (4, {"S3H-KMS-01", "S3H-DST-01"})


# The run.


def test_a_healthy_run_makes_no_request_before_the_first_get_beyond_its_own(world):
    assert world.copy().code == 0
    operations = [call.operation for call in world.server.calls]
    assert operations[: operations.index("GetObject")] == ["AssumeRole", "HeadBucket", "ListObjectsV2"]
    assert operations.count("GetObject") == 8
    assert len(operations) == 11


def test_a_run_that_loses_a_permission_names_it_with_a_new_session(world):
    for number in range(400):
        world.cloud.put(seed.BUCKET, f"more/{number:04}", b"x")
    role, seen = world.role, []

    def clock(now=world.cloud.clock):
        """The role loses kms:Decrypt while objects are copied."""
        seen.append(1)
        if len(seen) > 60 and len(role.policies[0]["Statement"]) == 3:
            no_decrypt_right(world)
        return now()

    world.cloud.clock = clock
    ran = world.copy()
    assert (ran.code, ran.shown) == (4, {"S3H-KMS-01"}), ran.text
    assert '"DecryptOnlyThroughS3"' in ran.err


def test_an_object_outside_every_sample_is_explained_because_the_run_was_refused_it(world):
    for number in range(300):
        world.cloud.put(seed.BUCKET, f"more/{number:04}", b"x")
    world.cloud.put(seed.BUCKET, "more/0137", b"x", owner="333333333333")
    ran = world.copy("--json")
    assert ran.code == 1
    summary = json.loads(ran.out)
    (finding,) = summary["diagnosis"]
    assert (finding["id"], finding["affected"], finding["examples"]) == ("S3H-S3-07", 1, ["more/0137"])


def test_a_refusal_of_a_role_with_mfa_asks_for_no_second_code(world, monkeypatch):
    asked = []

    def typed(prompt):
        asked.append(prompt)
        return "123456"

    monkeypatch.setattr("getpass.getpass", typed)
    world.user.mfa_serial, world.user.mfa_code = MFA, "123456"
    world.configure(more=f"mfa_serial = {MFA}")
    no_decrypt_right(world)
    ran = world.copy()
    assert (ran.code, len(asked)) == (4, 1)
    assert "S3H-KMS-01" in ran.shown


def test_contradictory_flags_are_exit_code_2_as_for_cp(world):
    for command in ("check", "cp"):
        ran = world.run(command, world.url, str(world.home / "data"), "--role-arn", "arn:aws:iam::1:role/x")
        assert (ran.code, ran.shown) == (2, {"S3H-STS-07"})
