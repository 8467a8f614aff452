"""One object to standard output: its bytes and nothing else, checked at the end."""

import os
import subprocess

import pytest

from e2e.harness import SOURCE
from s3haul.demo import seed
from s3haul.demo.content import Generated

PARTS = [700_000, 300_001]
SIZE = sum(PARTS)
BODY = Generated(5, SIZE)


@pytest.fixture
def run(machine):
    def run(*arguments: str, **options):
        return machine.run("cp", *arguments, "--profile", "export", **options)

    return run


@pytest.fixture
def fetched(run, tmp_path):
    """What comes out of one object, byte by byte, and how it ended."""

    def fetched(key: str, *arguments: str):
        with (tmp_path / "out").open("wb") as out:
            ran = run(f"{SOURCE}/{key}", "-", *arguments, stdout=out)
        return ran, (tmp_path / "out").read_bytes()

    return fetched


@pytest.mark.parametrize(
    "stored",
    [{"checksum": "CRC64NVME"}, {"checksum": "SHA256"}, {"checksum": "CRC32C", "part_sizes": PARTS}],
    ids=["crc64nvme", "sha256", "composite"],
)
def test_the_bytes_of_one_object_are_verified_and_nothing_else_is_printed_or_left(
    server, machine, fetched, stored
):
    server.cloud.put(seed.BUCKET, "one.bin", BODY, **stored)
    before = sorted(machine.home.iterdir())
    ran, body = fetched("one.bin")
    assert (ran.code, ran.err) == (0, "")
    assert body == BODY.read(0, SIZE)
    assert sorted(machine.home.iterdir()) == before


def test_an_empty_object_is_no_bytes(server, fetched):
    server.cloud.put(seed.BUCKET, "empty", b"")
    ran, body = fetched("empty")
    assert (ran.code, ran.err, body) == (0, "", b"")


def test_an_object_without_a_checksum_is_written_and_reported_as_size_only(server, fetched):
    server.cloud.put(seed.BUCKET, "old", b"old", checksum=None)
    ran, body = fetched("old")
    assert (ran.code, body) == (0, b"old")
    assert "! size-only: " in ran.err
    ran, body = fetched("old", "--require-checksum")
    assert (ran.code, body) == (1, b"")
    assert "[S3H-INT-02]" in ran.err


@pytest.mark.parametrize("effect", ["reset", "short"])
def test_after_a_broken_connection_the_download_continues_where_it_stopped(server, fetched, effect):
    server.cloud.put(seed.BUCKET, "one.bin", BODY, checksum="CRC64NVME")
    server.faults.add(effect, operation="GetObject", exactly=1, after=300_000)
    ran, body = fetched("one.bin")
    assert ran.code == 0, ran.text
    assert body == BODY.read(0, SIZE)
    assert server.count("GetObject") == 2


def test_the_attempts_that_the_configuration_allows_are_its_bound_too(server, run):
    server.cloud.put(seed.BUCKET, "one.bin", b"x")
    server.faults.add("error", operation="GetObject", status=500, code="InternalError")
    ran = run(f"{SOURCE}/one.bin", "-", AWS_MAX_ATTEMPTS="2")
    assert (ran.code, ran.out, server.count("GetObject")) == (1, "", 2), ran.text


def test_bytes_that_do_not_match_the_checksum_are_exit_code_1(server, fetched):
    server.cloud.put(seed.BUCKET, "one.bin", BODY, checksum="CRC64NVME")
    server.faults.add("flip", operation="GetObject")
    ran, body = fetched("one.bin")
    assert ran.code == 1
    assert len(body) == SIZE
    assert "[S3H-INT-01]" in ran.err
    assert f"! {SIZE:,} bytes are written that are not the object" in ran.err


def test_an_object_that_changes_in_mid_stream_is_not_mixed(server, fetched):
    server.cloud.put(seed.BUCKET, "one.bin", BODY, checksum="CRC64NVME")
    server.faults.add("reset", operation="GetObject", exactly=1, after=300_000)
    server.faults.add("change", operation="GetObject", exactly=2)
    ran, body = fetched("one.bin")
    assert ran.code == 1, ran.text
    assert "[S3H-S3-12]" in ran.err
    assert BODY.read(0, SIZE).startswith(body)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((SOURCE, "-"), "Only one object"),
        ((f"{SOURCE}/data/", "-"), "Only one object"),
        ((f"{SOURCE}/data", "-", "--recursive"), "Only one object"),
        ((f"{SOURCE}/a", "-", "--json"), "needed for the object"),
        ((f"{SOURCE}/a", "-", "--dryrun"), "needed for the object"),
        ((f"{SOURCE}/a", "-", "--exclude", "b"), "cannot be used with -"),
        ((f"{SOURCE}/a", "/dev/stdout"), "- as DEST"),
        ((f"{SOURCE}/a", "pipe"), "- as DEST"),
    ],
)
def test_what_cannot_go_to_standard_output_is_refused(server, machine, run, arguments, said):
    os.mkfifo(machine.home / "pipe")
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err
    assert not server.calls
    assert not (machine.home / ".s3haul").exists()


def test_for_an_object_that_is_missing_or_refused_the_error_is_that_of_a_run(server, run):
    ran = run(f"{SOURCE}/none", "-")
    assert (ran.code, ran.out) == (6, "")
    assert "[S3H-S3-16]" in ran.err
    server.faults.add("error", operation="GetObject", status=403, code="AccessDenied", message="no")
    ran = run(f"{SOURCE}/data/1/object-0001.bin", "-")
    assert (ran.code, ran.out) == (4, "")
    assert "[S3H-S3-" in ran.err


def test_a_reader_that_leaves_ends_the_command_without_a_message(server, machine):
    server.cloud.put(seed.BUCKET, "large.bin", Generated(6, 20_000_000))
    with machine.start("cp", f"{SOURCE}/large.bin", "-", "--profile", "export") as process:
        head = subprocess.run(["head", "-c", "10"], stdin=process.stdout, capture_output=True, check=True)
        process.stdout.close()
        err = process.stderr.read()
        assert process.wait(30) == 141
    assert head.stdout == Generated(6, 20_000_000).read(0, 10)
    assert err == ""
