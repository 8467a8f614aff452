"""Listings of many pages, as a user meets them: read by several requests at a time, or one after another."""

import json
import shlex

import pytest

from e2e.harness import SOURCE, expected, manifest, tree
from s3haul.cli.help_topics import topic_text
from s3haul.demo import seed

EXAMPLES = [
    shlex.split(line)[1:] for line in topic_text("listing").splitlines() if line.startswith("    s3haul")
]


@pytest.mark.parametrize("words", EXAMPLES, ids=" ".join)
def test_the_examples_of_the_help_text_do_what_it_says(server, machine, tmp_path, words):
    for key in ("logs/2024/a", "logs/2025-01.gz", "logs/2025-01.txt", "logs/2026/a"):
        server.cloud.put(seed.BUCKET, key, key.encode())
    ran = machine.run(*(SOURCE if word == "s3://BUCKET" else word for word in words), cwd=tmp_path)
    assert ran.code == 0, ran.text
    if "--include" in words:
        assert set(tree(tmp_path / "data")) == {"logs/2024/a", "logs/2025-01.gz"}
    else:
        assert tree(tmp_path / "data") == expected(server)


@pytest.mark.parametrize("transport", ["curl", "sdk"])
def test_many_pages_are_one_listing(server, machine, dest, transport):
    for number in range(120):
        server.cloud.put(seed.BUCKET, f"many/é-{number:04}", b"x")
    server.cloud.put(seed.BUCKET, "many/é-0060/below", b"y")
    ran = machine.cp(dest, "--page-size", "7", "--transport", transport)
    assert (ran.code, ran.summary["balanced"]) == (0, True), ran.text
    assert tree(dest) == expected(server)
    assert len(manifest(machine, dest)) == 181
    again = machine.cp(dest, "--page-size", "7", "--list-concurrency", "3", "--transport", transport)
    assert again.summary["unchanged"]["objects"] == 181, again.out


def test_with_one_request_at_a_time_a_dry_run_has_the_order_of_the_keys(server, machine, dest):
    ran = machine.run(
        *("cp", SOURCE, str(dest), "--profile", "export", "--dryrun"),
        *("--page-size", "3", "--list-concurrency", "1"),
    )
    keys = [
        line.split()[2].removeprefix(f"{SOURCE}/") for line in ran.out.splitlines() if "download:" in line
    ]
    assert keys == server.cloud.buckets[seed.BUCKET].sorted_keys()


def test_a_dry_run_counts_the_requests_that_it_made(server, machine, dest):
    ran = machine.run(
        "cp", SOURCE, str(dest), "--profile", "export", "--dryrun", "--json", "--page-size", "3"
    )
    assert json.loads(ran.out)["list_requests"] == server.count("ListObjectsV2")
