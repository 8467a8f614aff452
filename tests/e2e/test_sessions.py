"""Sessions that end in mid-run: renewed once for everybody, and nothing is lost."""

from collections import Counter

import pytest

from e2e.harness import expected, tree
from s3haul.demo import seed


@pytest.mark.parametrize("announced", [True, False], ids=["announced", "unannounced"])
def test_a_run_that_outlives_its_sessions_renews_them_once_each_and_loses_nothing(
    server, machine, dest, announced
):
    server.cloud.session_seconds = 2
    server.cloud.announce_session_seconds = announced
    server.faults.add("delay", operation="GetObject", seconds=0.35)
    ran = machine.cp(dest, "--concurrency", "6")
    assert ran.code == 0, ran.text
    assert ran.summary["failed"] == []
    assert tree(dest) == expected(server)

    assumed = server.count("AssumeRole")
    used = {call.access_key_id for call in server.calls if call.operation == "GetObject"}
    assert assumed >= 2
    assert assumed - 1 <= len(used) <= assumed  # the last one may come when the last object is under way
    assert ran.summary["credential_renewals"] == assumed - 1
    refused = server.count("GetObject", status=400)
    assert refused == ran.summary["retries"].get("credentials", 0)
    again = Counter(
        (call.key, call.access_key_id)
        for call in server.calls
        if (call.operation, call.status) == ("GetObject", 400)
    )
    assert max(again.values(), default=1) == 1, "no object is requested again with a session that was refused"
    if not announced:
        assert refused > 0


def test_a_role_that_is_withdrawn_ends_the_run_when_the_session_ends(server, machine, dest):
    """The trust policy changes while objects are under way: the old session is used up, then it is said."""
    server.faults.add("delay", operation="GetObject", seconds=0.3)
    server.faults.add("expire-sessions", operation="GetObject", exactly=20)
    server.faults.add(
        "error",
        operation="AssumeRole",
        since=2,
        status=403,
        code="AccessDenied",
        message=f"User: user-b is not authorized to perform: sts:AssumeRole on resource: {seed.ROLE_ARN}",
    )
    with machine.start("cp", f"s3://{seed.BUCKET}", str(dest), "--profile", "export") as process:
        for line in process.stderr:
            if "could not be renewed" in line:
                break
        process.terminate()
        out, err = process.communicate(timeout=10)
    assert process.returncode == 143, out + err
    assert "not authorized to perform: sts:AssumeRole" in line
    assert server.count("AssumeRole") <= 3
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)
