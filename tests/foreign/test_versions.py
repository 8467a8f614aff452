"""Versions and lists against a server that we did not write: its order, markers and encodings are its own."""

import json

import pytest

from foreign.access import keys_profile
from foreign.test_runs import contents, manifest, s3haul

KEYS = ["a", "a/b", "é +%\n", "z" * 200]


@pytest.mark.parametrize("transport", ["curl", "sdk"])
def test_the_moment_of_now_and_all_versions(ministack, tmp_path, transport):
    bucket = ministack.fresh_bucket()
    s3 = ministack.client("s3")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    for text in ("one", "two", "three"):
        ministack.seed({key: f"{key} {text}".encode() for key in KEYS}, bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="a/b")
    common = (f"s3://{bucket}", "--page-size", "2", "--transport", transport, "--json")
    with keys_profile(ministack, tmp_path, ministack.owner):
        now = s3haul("cp", *common, "now", "--profile", "export", "--at", "0s", cwd=tmp_path)
        every = s3haul("cp", *common, "every", "--profile", "export", "--all-versions", cwd=tmp_path)
        lines = manifest(tmp_path, "now")
    assert (now[0], every[0]) == (0, 0), (now, every)
    assert contents(tmp_path / "now", lines) == {key: f"{key} three".encode() for key in KEYS if key != "a/b"}
    assert json.loads(every[1])["done"]["objects"] == 3 * len(KEYS)


def test_a_list_of_keys(ministack, tmp_path):
    bucket = ministack.fresh_bucket()
    ministack.seed({key: key.encode() for key in KEYS}, bucket=bucket)
    (tmp_path / "list").write_text("a\nnot there\n")
    with keys_profile(ministack, tmp_path, ministack.owner):
        ran = s3haul(
            "cp",
            f"s3://{bucket}",
            "data",
            "--profile",
            "export",
            "--files-from",
            "list",
            "--json",
            cwd=tmp_path,
        )
        lines = manifest(tmp_path, "data")
    assert ran[0] == 3, ran
    assert contents(tmp_path / "data", {"a": lines["a"]}) == {"a": b"a"}
    assert lines["not there"]["state"] == "vanished"
