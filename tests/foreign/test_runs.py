"""The whole job with the real command against servers that we did not write."""

import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from e2e.harness import wait_until
from foreign.access import keys_profile, role_profile

MIB = 1024 * 1024
HOSTILE = [
    "../up",
    "a//b",
    "/lead",
    "./x",
    "dir/",
    "a",
    "a/b",
    "é \u202e\n\x1b[2J",
    "k" * 300,
    "~s3haul~=x",
    ".s3haul/journal",
]


def s3haul(*arguments, cwd):
    """The command with the profile that is in effect; (exit code, standard output, standard error)."""
    command = [sys.executable, "-m", "s3haul", *map(str, arguments)]
    environment = os.environ | {"AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def manifest(directory, dest):
    code, out, err = s3haul("manifest", dest, cwd=directory)
    assert code == 0, err
    return {line["key"]: line for line in map(json.loads, out.splitlines())}


def contents(root, lines):
    return {key: (root / line["path"]).read_bytes() for key, line in lines.items() if line["path"]}


def test_the_recipe_verbatim_copies_the_bucket_of_the_other_account(ministack, tmp_path):
    bucket = ministack.fresh_bucket()
    objects = {f"data/{n:03}": os.urandom(n * 50) for n in range(60)} | {key: key.encode() for key in HOSTILE}
    ministack.seed(objects, bucket=bucket)
    here = tmp_path / "here"
    here.mkdir()
    recipe = ["cp", "--sse", "aws:kms", "--profile", "export", f"s3://{bucket}", "./", "--recursive"]
    with role_profile(ministack, tmp_path):
        code, out, err = s3haul(*recipe, cwd=here)
        assert code == 0, (out, err)
        again = s3haul(*recipe, "--json", cwd=here)
        lines = manifest(here, ".")
        verified = s3haul("verify", ".", cwd=here)
    assert contents(here, lines) == objects
    assert {path.name for path in tmp_path.iterdir()} == {"config", "here"}
    assert json.loads(again[1])["unchanged"]["objects"] == len(objects)
    assert (again[0], verified[0]) == (0, 0)


def test_a_server_that_closes_each_connection_works(moto, tmp_path):
    bucket = moto.fresh_bucket()
    printable = [key for key in HOSTILE if key.isprintable()]
    objects = {f"data/{n:03}": os.urandom(n * 50) for n in range(40)} | {k: k.encode() for k in printable}
    moto.seed(objects, bucket=bucket)
    moto.seed_checksummed("checked", b"body", "SHA256", bucket=bucket)
    parts = [os.urandom(5 * MIB), b"last"]
    moto.seed_multipart("parts", parts, "SHA256", "COMPOSITE", bucket=bucket)
    with role_profile(moto, tmp_path):
        code, out, err = s3haul("cp", f"s3://{bucket}", "data", "--profile", "export", cwd=tmp_path)
        assert code == 0, (out, err)
        lines = manifest(tmp_path, "data")
        verified = s3haul("verify", "data", cwd=tmp_path)
    assert contents(tmp_path / "data", lines) == objects | {"checked": b"body", "parts": b"".join(parts)}
    assert (lines["checked"]["verdict"], lines["parts"]["verdict"]) == ("verified", "size-only")
    assert verified[0] == 0


def test_sessions_that_end_in_the_middle_of_a_run_are_renewed_and_nothing_fails(ministack, tmp_path):
    bucket = ministack.fresh_bucket()
    ministack.seed({f"k{n:04}": os.urandom(2000) for n in range(400)}, bucket=bucket)
    dest = tmp_path / "data"
    with role_profile(ministack, tmp_path), ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            s3haul,
            "cp",
            f"s3://{bucket}",
            dest,
            "--profile",
            "export",
            "--json",
            "--concurrency",
            "4",
            cwd=tmp_path,
        )
        wait_until(lambda: running.done() or len(list(dest.glob("k*"))) >= 20, "the first twenty files")
        ministack.expire_sessions()
        code, out, err = running.result()
    summary = json.loads(out)
    assert code == 0, err
    assert summary["done"]["objects"] == 400
    assert summary["retries"].get("credentials", 0) > 0
    assert summary["credential_renewals"] < 10


# moto does not mind where it is missing.
@pytest.mark.parametrize(
    ("name", "external_id"), [("ministack", "wrong-id"), ("ministack", ""), ("moto", "wrong-id")]
)
def test_a_wrong_external_id_is_named(request, tmp_path, name, external_id):
    server = request.getfixturevalue(name)
    with role_profile(server, tmp_path) as config:
        text = config.read_text()
        line = f"external_id = {external_id}\n" if external_id else ""
        config.write_text(re.sub(r"external_id *=.*\n", line, text))
        code, _, err = s3haul("cp", f"s3://{server.bucket}", "data", "--profile", "export", cwd=tmp_path)
    assert code == 4
    assert "S3H-STS-03" in err
    assert "External ID" in err


@pytest.mark.parametrize("kind", ["static", "session"])
def test_objects_that_are_really_encrypted_are_verified_by_every_kind_of_checksum(seaweedfs, tmp_path, kind):
    bucket = seaweedfs.fresh_bucket()
    needle = os.urandom(64)
    part = needle * (5 * MIB // len(needle))
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"):
        seaweedfs.seed_checksummed(f"single/{algorithm}", needle, algorithm, bucket=bucket)
    for algorithm in ("CRC32", "CRC32C", "SHA1", "SHA256"):
        seaweedfs.seed_multipart(f"parts/{algorithm}", [part, needle], algorithm, "COMPOSITE", bucket=bucket)
    for algorithm in ("CRC32", "CRC32C", "CRC64NVME"):
        seaweedfs.seed_multipart(
            f"whole/{algorithm}", [part, needle], algorithm, "FULL_OBJECT", bucket=bucket
        )
    keys = seaweedfs.reader if kind == "static" else seaweedfs.assume()
    with keys_profile(seaweedfs, tmp_path, keys):
        code, out, err = s3haul(
            "cp",
            f"s3://{bucket}",
            "data",
            "--profile",
            "export",
            "--sse",
            "aws:kms",
            "--require-checksum",
            cwd=tmp_path,
        )
        assert code == 0, (out, err)
        lines = manifest(tmp_path, "data")
        again = s3haul("verify", "data", cwd=tmp_path)
    assert len(lines) == 12
    for key, line in lines.items():
        assert (line["verdict"], line["checksum"]["algorithm"]) == ("verified", key.partition("/")[2])
        assert line["sse"] == "aws:kms"
    assert set(contents(tmp_path / "data", lines).values()) == {needle, part + needle}
    assert not seaweedfs.holds_at_rest(needle)
    assert again[0] == 0


def test_a_certificate_of_an_unknown_authority_ends_the_run(seaweedfs, tmp_path):
    with keys_profile(seaweedfs, tmp_path, seaweedfs.reader) as config:
        config.write_text(re.sub(r"ca_bundle *=.*\n", "", config.read_text()))
        code, _, err = s3haul("cp", f"s3://{seaweedfs.bucket}", "data", "--profile", "export", cwd=tmp_path)
    assert code == 6
    assert "--ca-bundle" in err


@pytest.mark.parametrize("name", ["ministack", "seaweedfs"])
def test_many_pages_are_one_listing_on_servers_of_others(name, request, tmp_path):
    server = request.getfixturevalue(name)
    bucket = server.fresh_bucket()
    objects = {f"k{n:03}": b"%d" % n for n in range(150)} | {"é": b"e", "日本": b"j", "~": b"t"}
    server.seed(objects, bucket=bucket)
    profile = (
        role_profile(server, tmp_path)
        if name == "ministack"
        else keys_profile(server, tmp_path, server.reader)
    )
    with profile:
        command = ("cp", f"s3://{bucket}", "data", "--profile", "export", "--page-size", "5")
        code, out, err = s3haul(*command, cwd=tmp_path)
        assert code == 0, (out, err)
        lines = manifest(tmp_path, "data")
    assert contents(tmp_path / "data", lines) == objects


def test_a_listing_out_of_order_is_refused_and_not_taken_for_complete(seaweedfs, tmp_path):
    bucket = seaweedfs.fresh_bucket()
    seaweedfs.seed({"logs/a": b"1", "logs.txt": b"2"}, bucket=bucket)
    with keys_profile(seaweedfs, tmp_path, seaweedfs.reader):
        code, _, err = s3haul("cp", f"s3://{bucket}", "data", "--profile", "export", cwd=tmp_path)
    assert code == 6
    assert "ascending" in err
