"""`s3haul check` as a process of its own."""

import json
import subprocess

from e2e.harness import SOURCE
from s3haul.demo import seed


def test_the_report_is_one_json_object_and_the_exit_code_stands_in_it(server, machine, dest):
    ran = machine.run("check", SOURCE, str(dest), "--profile", "export", "--json")
    report = json.loads(ran.out)
    assert (ran.code, report["exit_code"], report["findings"]) == (0, 0, [])
    assert ran.err == ""
    assert not dest.exists()
    reads = [call for call in server.calls if call.operation == "GetObject"]
    assert len(reads) == sum(call.sent for call in reads) == 61  # one byte each, and of one object twice


def test_a_refusal_shows_cause_message_fixer_and_statement_but_not_the_external_id(server, machine):
    server.cloud.roles[seed.ROLE_ARN].policies[0]["Statement"].pop()
    ran = machine.run("check", SOURCE, "--profile", "export")
    assert ran.code == 4
    assert "[S3H-KMS-01]" in ran.out
    assert "Who fixes it: data owner (account 111111111111); affects 60 of 60 objects" in ran.out
    assert '"Action": "kms:Decrypt"' in ran.out
    assert seed.EXTERNAL_ID not in ran.text


def test_a_reader_that_leaves_ends_the_check(server, machine):
    with machine.start("check", SOURCE, "--profile", "export") as process:
        assert process.stdout.readline().startswith("ok configuration")
        process.stdout.close()
        assert process.wait(60) == 141
        assert "Traceback" not in process.stderr.read()


def test_ctrl_c_ends_the_check(server, machine):
    server.faults.add("stall", operation="GetObject")
    with machine.start("check", SOURCE, "--profile", "export", stderr=subprocess.DEVNULL) as process:
        while not process.stdout.readline().startswith("ok checksum"):
            pass
        process.send_signal(2)
        assert process.wait(60) == 130
