"""Bodies and headers that are wrong: never under a good name, and mended where a second try is right."""

import pytest

from e2e.harness import expected, leftovers, manifest, tree
from s3haul.demo import seed
from s3haul.demo.content import Generated

PARTS = (300_000, 300_000, 1)
# The object, what is done to it, and how it fails when that is done every time.
ALWAYS = {
    "flipped-first-byte": ("flip", {}, "checksum-mismatch"),
    "flipped-late-byte": ("flip", {"offset": 1_900_000}, "checksum-mismatch"),
    "wrong-header": ("wrong-checksum", {}, "checksum-mismatch"),
    "composite-flipped": ("flip", {"offset": 10}, "checksum-mismatch"),
    "composite-wrong-header": ("wrong-checksum", {}, "checksum-mismatch"),
    "shorter-than-listed": ("shorten", {"count": 1}, "wrong-answer"),
    "longer-than-listed": ("extra", {"count": 1}, "wrong-answer"),
    "another-etag": ("wrong-etag", {}, "wrong-answer"),
    "empty-answer": ("empty-200", {}, "wrong-answer"),
    "no-content": ("bare-204", {}, "wrong-answer"),
    "two-lengths": ("duplicate-content-length", {}, "wrong-answer"),
}
ONCE = {
    **{key: (effect, parameters) for key, (effect, parameters, _) in ALWAYS.items()},
    "closed-before-headers": ("close", {}),
    "cut-body": ("short", {"after": 1_000_000}),
    "reset-body": ("reset", {"after": 1_000_000}),
    "no-length-and-cut": ("short", {"after": 100}),
    "internal-error": ("error", {}),
    "slow-down": (
        "error",
        {"status": 503, "code": "SlowDown", "message": "Please reduce your request rate."},
    ),
    "expired-token": ("error", {"status": 400, "code": "ExpiredToken", "message": "The token has expired."}),
}


@pytest.fixture
def wide(server):
    """Every object of `ONCE`, with and without parts."""
    for number, key in enumerate(ONCE):
        if key.startswith("composite"):
            server.cloud.put(
                seed.BUCKET, key, Generated(number, sum(PARTS)), checksum="SHA256", part_sizes=PARTS
            )
        else:
            server.cloud.put(seed.BUCKET, key, Generated(number, 2_000_000))
    return server


def test_wrong_bodies_fail_with_their_reason_and_leave_no_file(wide, machine, dest):
    for key, (effect, parameters, _) in ALWAYS.items():
        wide.faults.add(effect, operation="GetObject", key=key, **parameters)
    ran = machine.cp(dest)
    assert ran.code == 1, ran.text
    assert ran.summary["balanced"]
    lines = manifest(machine, dest)
    failed = {key: line["reason"] for key, line in lines.items() if line["state"] == "failed"}
    assert failed == {key: reason for key, (_, _, reason) in ALWAYS.items()}
    assert all(lines[key]["detail"] for key in failed)
    assert tree(dest) == {path: body for path, body in expected(wide).items() if path not in ALWAYS}
    assert leftovers(dest) == []
    wide.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(wide)


def test_an_object_that_fails_once_is_tried_again_and_stored(wide, machine, dest):
    rules = {}
    for key, (effect, parameters) in ONCE.items():
        # Of an object in parts the first answer is only looked at, the second is the first part.
        when = 2 if key == "composite-flipped" else 1
        rules[key] = wide.faults.add(effect, operation="GetObject", key=key, exactly=when, **parameters)
    ran = machine.cp(dest)
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(wide)
    assert {key: rule.hits for key, rule in rules.items()} == dict.fromkeys(ONCE, 1)
    assert all(rule.seen > rule.hits for rule in rules.values())
    kinds = {"checksum-mismatch", "wrong-answer", "network", "server-error", "throttled", "credentials"}
    assert ran.summary["retries"].keys() == kinds
    assert machine.run("verify", str(dest)).code == 0


def test_an_object_without_a_checksum_is_labelled_and_can_be_refused(server, machine, dest):
    key = "data/0/object-0000.bin"
    server.faults.add("no-checksum", operation="GetObject", key=key)
    ran = machine.cp(dest, "--require-checksum")
    assert (ran.code, ran.failed) == (1, {"no-checksum": 1})
    assert key not in tree(dest)
    ran = machine.cp(dest)
    assert ran.code == 0
    assert ran.summary["verdicts"] == {"verified": 0, "size-only": 1}
    assert manifest(machine, dest)[key]["verdict"] == "size-only"
