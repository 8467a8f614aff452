"""Every example of the help on filters and sources is run, and every flag that selects has one."""

import re
import shlex

import pytest

from s3haul.cli.help_topics import topic_text
from s3haul.cli.selection import _INCLUDES
from s3haul.demo import inventory, seed
from sources.world import SOURCE, World, tree

OTHERS = {
    "--recursive",
    "--request-payer",
    "--expected-bucket-owner",
    "--page-size",
    "--max-rps",
    "--bwlimit",
    "--max-kms-rps",
    "--list-concurrency",
}
OTHERS |= {"--force-glacier-transfer", "--fail-if-empty"}
EXAMPLE = re.compile(r"^  (?:.* \| )?(?:s3haul cp (?P<command>.*)|(?P<flags>--.*))$", re.MULTILINE)


def examples() -> list[tuple[str, ...]]:
    """The words behind source and destination; one example of a single object is a test of its own."""
    found = []
    for topic in ("filters", "sources", "plans"):
        for match in EXAMPLE.finditer(topic_text(topic)):
            words = shlex.split(re.split(r" {2,}", match["command"] or match["flags"])[0])
            found.append(tuple(words[2:] if match["command"] else words))
    return found


def flags_that_select(world: World) -> set[str]:
    text = world.run("cp", "--help").out
    section = text[text.index("Selection:") : text.index("Transfer:")]
    return set(re.findall(r"^ +(--[\w-]+)", section, re.MULTILINE))


def test_every_flag_that_selects_has_an_example(world):
    shown = {word for words in examples() for word in words if word.startswith("--")}
    assert flags_that_select(world) - OTHERS <= shown
    assert shown >= _INCLUDES


@pytest.fixture
def files(world, monkeypatch):
    """What the examples name."""
    monkeypatch.chdir(world.place)
    world.put("2024/01/a.csv", b"csv")
    world.put("b.parquet", b"parquet")
    world.file(["*.parquet", "# a remark", ""], "wanted.txt")
    world.file(["*.bin"], "unwanted.txt")
    world.file(["2024/01/a.csv"], "keys.txt")
    world.file([f"{seed.BUCKET},2024/01/a.csv"], "keys.csv")
    world.file([f"{seed.BUCKET},2024/01/a.csv,,succeeded,,200,"], "report.csv")
    world.file(['{"key": "2024/01/a.csv"}'], "earlier.jsonl")
    key = inventory.deliver(world.server.cloud, seed.BUCKET, seed.BUCKET, date="2026-01-31T01-00Z")
    (world.place / "report").mkdir()
    for each, body in world.bodies().items():
        if each.startswith((key.removesuffix("manifest.json"), f"inventory/{seed.BUCKET}/all/data/")):
            (world.place / "report" / each.rpartition("/")[2]).write_bytes(body)


def test_every_example_does_what_it_says(world, files):
    world.keep_versions()
    old = world.put("KEY", b"old", last_modified=world.server.cloud.clock() - 200_000)
    world.put("KEY", b"new")
    for words in examples():
        if words == ("--version-id", "ID"):
            one = {"source": f"{SOURCE}/KEY", "dest": world.place / "one"}
            assert world.cp("--version-id", old.version_id, **one).code == 0
            assert (world.place / "one").read_bytes() == b"old"
            continue
        if "--plan" in words:
            assert (world.place / "plan.jsonl").exists()
        filled = [word.replace("REPORTS", seed.BUCKET).replace("BUCKET", seed.BUCKET) for word in words]
        given = f'"{seed.BUCKET}","2024/01/a.csv"\n' if "csv" in words else "2024/01/a.csv\n"
        ran = world.cp(*filled, dest=world.place / "example", given=given)
        assert ran.code == 0, (words, ran.text)
        assert (
            ran.summary.get("selected", ran.summary)["objects"]
            or "--max-size" in words
            or "--older-than" in words
            or "--at" in words
        ), words
    assert tree(world.place / "example")["2024/01/a.csv"] == b"csv"
