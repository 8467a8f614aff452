"""The recipe's command, as it is written down everywhere, and its two ways to name the role."""

import json
import os
import re

import pytest

from e2e.harness import (
    RECIPE,
    SOURCE,
    bucket,
    expected,
    leftovers,
    manifest,
    paths,
    tree,
)
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.demo.seed_objects import HOSTILE_KEYS
from s3haul.disk import Destination

KIB = 1 << 10


@pytest.fixture
def full(server):
    """Objects of every kind but archived ones: the whole copy is exit code 0."""
    cloud = server.cloud
    for key in HOSTILE_KEYS:
        cloud.put(seed.BUCKET, key, key.encode() * 3, bucket_key=True)
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        sizes = (400 * KIB, 400 * KIB, 77)
        name = f"multipart/{algorithm}"
        cloud.put(
            seed.BUCKET,
            name,
            Generated(len(name), sum(sizes)),
            checksum=algorithm,
            checksum_type="COMPOSITE",
            part_sizes=sizes,
        )
        cloud.put(seed.BUCKET, f"single/{algorithm}", b"x" * 5000, checksum=algorithm)
    cloud.put(seed.BUCKET, "large.bin", Generated(1, 3_000_001), checksum="CRC64NVME")
    cloud.put(seed.BUCKET, "old/no-checksum.bin", b"old", checksum=None)
    cloud.put(seed.BUCKET, "marker/", b"")
    cloud.put(seed.BUCKET, "marker/empty.bin", b"")
    cloud.put(seed.BUCKET, "page.html.gz", bytes.fromhex("1f8b0800000000000003"), content_encoding="gzip")
    return server


def test_the_recipe_verbatim_copies_the_bucket_and_accounts_for_every_key(full, machine, dest):
    dest.mkdir()
    ran = machine.run(*RECIPE, "--json", cwd=dest)
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(full)
    assert (dest / "marker").is_dir()
    objects = bucket(full).objects
    for key, path in paths(full).items():
        if not key.endswith("/"):
            assert abs((dest / path).stat().st_mtime - objects[key][-1].last_modified) < 1, key

    summary = ran.summary
    assert summary["balanced"]
    assert summary["listing_complete"]
    assert summary["exit_code"] == 0
    assert summary["failed"] == summary["skipped"] == []
    total = sum(stored[-1].size for stored in objects.values())
    assert summary["selected"] == summary["done"] == {"objects": len(objects), "bytes": total}
    # A marker has no bytes to judge.
    assert summary["verdicts"] == {"verified": len(objects) - 2, "size-only": 1}

    lines = manifest(machine, dest)
    assert lines.keys() == objects.keys()
    for key, line in lines.items():
        assert (line["state"], line["path"], line["size"]) == (
            "done",
            paths(full)[key],
            objects[key][-1].size,
        )
        assert line["sse"] == (None if key == "marker/" else "aws:kms")
    assert leftovers(dest) == []
    assert (dest / ".s3haul").stat().st_mode & 0o077 == 0
    assert (dest / ".s3haul" / "journal.sqlite3").stat().st_mode & 0o177 == 0
    assert machine.run("verify", str(dest)).code == 0

    gets = full.count("GetObject")
    again = machine.run(*RECIPE, "--json", cwd=dest)
    assert (again.code, again.summary["unchanged"]["objects"]) == (0, len(objects))
    assert full.count("GetObject") == gets


def test_flags_and_an_external_id_from_the_environment_do_what_the_profile_does(server, machine, dest):
    flags = ("--role-arn", seed.ROLE_ARN, "--source-profile", "user-b", "--sse", "aws:kms")
    where = ("--endpoint-url", server.endpoint_url, "--ca-bundle", server.ca_path, "--region", seed.REGION)
    endpoint = {"AWS_ENDPOINT_URL_STS": server.endpoint_url}
    ran = machine.run(
        "cp", SOURCE, str(dest), *flags, *where, "--json", S3HAUL_EXTERNAL_ID=seed.EXTERNAL_ID, **endpoint
    )
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(server)


def test_the_signature_version_pasted_on_one_line_works_as_well(server, machine, dest):
    machine.configure(signature="s3 = signature_version = s3v4")
    ran = machine.cp(dest)
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(server)


def test_a_prefix_lands_without_its_own_name(server, machine, dest):
    ran = machine.run("cp", f"{SOURCE}/data/3", str(dest), "--recursive", "--profile", "export", "--json")
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(server, "data/3/")
    assert tree(dest)


def test_changed_objects_are_fetched_again_and_no_others(server, machine, dest):
    machine.cp(dest)
    key = "data/1/object-0001.bin"
    server.cloud.change(seed.BUCKET, key)
    server.log.clear()
    ran = machine.cp(dest)
    assert ran.code == 0, ran.text
    assert [call.key for call in server.calls if call.operation == "GetObject"] == [key]
    assert tree(dest) == expected(server)


def test_verify_finds_damage_and_files_without_a_journal_are_verified_and_not_fetched(server, machine, dest):
    machine.cp(dest)
    (dest / "data" / "2" / "object-0002.bin").write_bytes(b"!" * (500 + 97 * 2))
    ran = machine.run("verify", str(dest))
    assert ran.code == 1
    assert re.findall(r"^x (\S+): .*\(wrong-checksum\)$", ran.err, re.MULTILINE) == ["data/2/object-0002.bin"]
    for name in ("journal.sqlite3", "journal.sqlite3-wal", "journal.sqlite3-shm"):
        (dest / ".s3haul" / name).unlink(missing_ok=True)
    server.log.clear()
    ran = machine.cp(dest)
    assert ran.code == 0, ran.text
    assert [call.key for call in server.calls if call.operation == "GetObject"] == ["data/2/object-0002.bin"]
    assert tree(dest) == expected(server)


@pytest.mark.parametrize("existing", ["verify", "skip", "overwrite"])
def test_files_that_verify_finds_damaged_are_fetched_once_by_the_next_run(server, machine, dest, existing):
    machine.cp(dest)
    rotten, key = dest / "data" / "2" / "object-0002.bin", "data/2/object-0002.bin"
    times = rotten.stat().st_atime_ns, rotten.stat().st_mtime_ns
    rotten.write_bytes(b"!" * rotten.stat().st_size)
    os.utime(rotten, ns=times)
    ran = machine.run("verify", str(dest))
    assert (ran.code, "To fetch exactly these files again" in ran.out) == (1, True)
    assert machine.run("verify", str(dest)).code == 1  # still, and however often
    marked = list(map(json.loads, machine.run("manifest", str(dest)).out.splitlines()))
    assert [(line["key"], line["state"]) for line in marked if line["reason"] == "damaged"] == [
        (key, "failed")
    ]
    server.log.clear()
    ran = machine.cp(dest, "--existing", existing)
    assert ran.code == 0, ran.text
    assert [call.key for call in server.calls if call.operation == "GetObject"] == [key]
    assert machine.run("verify", str(dest)).code == 0
    assert tree(dest) == expected(server)


def test_the_figures_of_a_run_of_verify_and_of_the_report_add_up(server, machine, dest):
    for key in ("folder/", "folder/below/"):
        server.cloud.put(seed.BUCKET, key, b"")
    server.cloud.put(seed.BUCKET, "folder/old", b"no checksum", checksum=None)
    found = machine.cp(dest).summary
    assert (found["done"]["objects"], found["directories"], found["verdicts"]) == (
        63,
        2,
        {"verified": 60, "size-only": 1},
    )
    ran = machine.run("verify", str(dest))
    assert (ran.code, "60 files verified" in ran.out, "  2 directories are there" in ran.out) == (
        0,
        True,
        True,
    )
    (dest / "folder" / "below").rmdir()
    assert machine.run("verify", str(dest)).code == 1
    (dest / "folder" / "below").mkdir()  # as if it had never been gone
    counts = json.loads(machine.run("verify", str(dest), "--json").out)
    assert (counts["verified"], counts["as_received"], counts["directories"]) == (60, 1, 2)
    report = machine.run("report", str(dest), "-o", "-", "--format", "markdown").out
    assert "The bytes of 60 match the checksum that S3 stores; 1 could be checked" in report
    assert "| directories | 2 |" in report


def test_a_damaged_file_that_is_put_right_by_hand_is_done_again(server, machine, dest):
    machine.cp(dest)
    file = dest / "data" / "2" / "object-0002.bin"
    sound = file.read_bytes()
    file.unlink()
    assert machine.run("verify", str(dest)).code == 1
    file.write_bytes(sound)
    assert machine.run("verify", str(dest)).code == 0
    server.log.clear()
    assert machine.cp(dest).code == 0
    assert not [call for call in server.calls if call.operation == "GetObject"]


def test_damage_that_cannot_be_marked_is_reported_all_the_same(server, machine, dest):
    machine.cp(dest)
    (dest / "data" / "2" / "object-0002.bin").write_bytes(b"short")
    with Destination.open(dest, force=True) as destination:
        destination.lock()
        ran = machine.run("verify", str(dest))
    assert (ran.code, "cannot be marked" in ran.err, "wrong-size" in ran.err) == (1, True, True)
    assert "Run s3haul verify again when it can write to the journal" in ran.out


def test_an_object_stored_with_another_encryption_than_stated_fails(server, machine, dest):
    server.cloud.put(seed.BUCKET, "plain.bin", b"plain", sse="AES256")
    ran = machine.cp(dest, "--sse", "aws:kms")
    assert ran.code == 1
    assert ran.failed == {"wrong-encryption": 1}
    assert not (dest / "plain.bin").exists()
    assert json.loads(ran.out)["failed"][0]["id"] == "S3H-KMS-09"
