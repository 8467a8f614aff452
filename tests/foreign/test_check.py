"""The check of access against servers that we did not write: what is fine there is called fine."""

import json

import pytest

from foreign.access import keys_profile, role_profile
from foreign.test_runs import s3haul


def checked(*arguments, cwd):
    code, out, err = s3haul("check", *arguments, "--json", cwd=cwd)
    assert out, err
    report = json.loads(out)
    assert report["exit_code"] == code
    return code, {step["step"]: step["ok"] for step in report["steps"]}, report["findings"]


@pytest.mark.parametrize("name", ["ministack", "moto"])
def test_a_role_with_an_external_id_passes_every_step(request, tmp_path, name):
    server = request.getfixturevalue(name)
    bucket = server.fresh_bucket()
    server.seed({f"data/{n}": b"x" * n for n in range(1, 30)}, bucket=bucket)
    with role_profile(server, tmp_path):
        code, steps, findings = checked(f"s3://{bucket}", tmp_path / "d", "--profile", "export", cwd=tmp_path)
    assert code == 0, (steps, findings)
    assert not [one for one in findings if one["level"] != "note"]
    assert {step for step, ok in steps.items() if ok} >= {
        "caller",
        "role",
        "listing",
        "sample",
        "destination",
    }


def test_plain_keys_without_a_role_are_checked_too(seaweedfs, tmp_path):
    bucket = seaweedfs.fresh_bucket()
    seaweedfs.seed({f"data/{n}": b"x" * n for n in range(1, 30)}, bucket=bucket)
    with keys_profile(seaweedfs, tmp_path, seaweedfs.reader):
        code, steps, findings = checked(f"s3://{bucket}/data/", "--profile", "export", cwd=tmp_path)
        missing = checked("s3://no-such-bucket-here", "--profile", "export", cwd=tmp_path)
    assert (code, findings) == (0, []), steps
    assert (steps["listing"], steps["sample"]) == (True, True)
    assert (missing[0], [one["id"] for one in missing[2]]) == (6, ["S3H-S3-01"])
