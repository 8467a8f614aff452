"""The published schemas are what the outputs are: every field that is written is described, in its type."""

import io
import json

import pytest
from jsonschema import Draft202012Validator

from e2e.conftest import dest, machine, server  # noqa: F401 - fixtures
from e2e.harness import SOURCE
from report.destinations import destination, mixed, outcome, performance
from s3haul.cli.help_topics import SCHEMA_TOPICS, topic_text
from s3haul.core.stats import Stats
from s3haul.demo import seed
from s3haul.events import CredentialsRenewed, Finished, Listed, Received, Retrying, Tick
from s3haul.journal import manifest_lines
from s3haul.journal.database import journal_path
from s3haul.models import State
from s3haul.progress import JsonLines
from s3haul.report.content import as_object, gather

KEY = "data/0/object-0007.bin"


def strict(schema):
    """The schema without room for fields that it does not describe."""
    if isinstance(schema, list):
        return [strict(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {"additionalProperties": False} if "properties" in schema else {}
    return closed | {name: strict(value) for name, value in schema.items()}


def validator(name):
    return Draft202012Validator(strict(json.loads(topic_text(f"schema-{name}"))))


def valid(name, instance):
    errors = [f"{error.json_path}: {error.message}" for error in validator(name).iter_errors(instance)]
    assert not errors, errors
    return True


@pytest.mark.parametrize("name", [topic.removeprefix("schema-") for topic in SCHEMA_TOPICS])
def test_each_schema_is_one_and_names_its_version(name):
    schema = json.loads(topic_text(f"schema-{name}"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:s3haul:schema:{name}:1"
    assert f"schema-{name}" in topic_text("schemas")


def test_a_field_too_many_too_few_or_of_another_type_is_found():
    good = {
        "schema": 1,
        "verified": 1,
        "as_received": 0,
        "size_only": 0,
        "directories": 0,
        "damaged": 0,
        "not_done": 0,
        "bytes": 5,
    }
    assert valid("verify", good | {"repair": None})
    for wrong in (good, good | {"repair": 5}, good | {"repair": None, "more": 1}):
        assert not validator("verify").is_valid(wrong)


def test_summaries_events_and_estimates_of_runs(server, machine, dest):  # noqa: F811
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="GLACIER", metadata=(("a", "b"),))
    server.faults.add("error", operation="GetObject", key=KEY, status=403, code="AccessDenied", message="no")
    other = "data/1/object-0008.bin"
    server.faults.add(
        "error", operation="GetObject", key=other, first=3, status=500, code="InternalError", message="no"
    )
    log = ("--log-format", "json", "--log-file", "log.json")
    ran = machine.cp(dest, *log)
    assert (ran.code, valid("summary", ran.summary), len(ran.summary["diagnosis"])) == (1, True, 1)
    estimate = machine.cp(dest, "--dryrun", *log)
    assert (estimate.code, valid("estimate", estimate.summary)) == (0, True)
    refused = machine.run("cp", "s3://no-such-bucket", str(dest), "--profile", "export", "--json", *log)
    assert refused.code
    assert machine.cp(dest, "--include", "x", *log).code == 1
    events = [json.loads(line) for line in (machine.home / "log.json").read_text().splitlines()]
    assert all(valid("events", event) for event in events)
    kinds = {
        each["properties"]["event"]["const"] for each in json.loads(topic_text("schema-events"))["oneOf"]
    }
    assert {event["event"] for event in events} == kinds - {"progress"}
    ran = machine.run("status", str(dest), "--json")
    assert valid("status", json.loads(ran.out))
    (dest / "data/2/object-0002.bin").write_bytes(b"rotten")
    ran = machine.run("verify", str(dest), "--json")
    assert (ran.code, valid("verify", json.loads(ran.out))) == (1, True)


def test_the_summary_of_a_run_that_an_error_ended(machine, dest):  # noqa: F811
    machine.configure(external_id="wrong")
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--json")
    assert ran.code == 4
    for line in ran.out.splitlines():
        assert valid("summary", json.loads(line))


def test_checks_and_a_run_that_was_refused(server, machine, dest):  # noqa: F811
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="GLACIER")
    ran = machine.run("check", SOURCE, str(dest), "--profile", "export", "--json")
    assert (ran.code, valid("check", json.loads(ran.out))) == (3, True)
    server.cloud.roles[seed.ROLE_ARN].policies[0]["Statement"].pop()
    ran = machine.run("check", SOURCE, "--profile", "export", "--json")
    assert (ran.code, valid("check", json.loads(ran.out))) == (4, True)
    assert any(finding["statement"] for finding in json.loads(ran.out)["findings"])
    summary = machine.cp(dest).summary
    assert valid("summary", summary)


def test_progress_events():
    stats, stream, now = Stats(), io.StringIO(), 0.0
    lines = JsonLines(stats, stream, clock=lambda: now, wall=lambda: 1.0)
    retry = Retrying("", "network", "reset", 1, 0.5)
    gone = Finished(outcome("gone", 1, State.VANISHED, "vanished"))
    for event in (Listed(5, 50, 0), Received(5), gone, retry, CredentialsRenewed(1.0, 2.0), *[Tick()] * 3):
        now += 5
        stats.observe(event)
        lines.observe(event)
    events = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [event["event"] for event in events].count("progress") >= 2
    assert all(valid("events", event) for event in events)


def test_reports_and_manifests(tmp_path):
    gone = outcome("gone", 1, State.VANISHED, "vanished")
    for outcomes, how in (([*mixed(), gone], performance()), ([], None)):
        root = destination(tmp_path / str(len(outcomes)), outcomes, performance=how)
        assert valid("report", as_object(gather(root, under_way=False)))
        assert all(valid("manifest", json.loads(line)) for line in manifest_lines(journal_path(root)))
