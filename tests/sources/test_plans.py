"""What a dry run foresees, the plan that it writes, and runs that end at a limit."""

import json
import os
import shutil
import stat

import pytest

from s3haul.cli.dry_run import prices
from s3haul.core.estimates import Prices, costs
from s3haul.demo import seed
from s3haul.demo.content import Generated
from s3haul.engine.interruption import RunLimits
from s3haul.engine.target import Decision, Target
from s3haul.errors import LimitReachedError
from s3haul.models import Block, ObjectRef, Partial, SafePath
from s3haul.options import TransferOptions
from sources.world import SOURCE, tree

TABLE = Prices("2026-01", "here", "USD", 5.0, {"STANDARD": 1.0, "COLD": 10.0}, {"COLD": 2.0}, 10.0, 3.0)


def test_costs_follow_from_requests_bytes_and_prices():
    found = costs(
        2, {"STANDARD": 1000, "COLD": 100, "NEW": 1000}, {"STANDARD": 10**9, "COLD": 10**9}, 500, TABLE
    )
    assert found.requests == pytest.approx(0.01 + 1.0 + 1.0 + 1.0)
    assert found.kms == pytest.approx(0.5)
    assert found.retrieval == pytest.approx(2.0)
    assert found.transfer_out == pytest.approx(6.0)
    assert found.within == pytest.approx(0.01 + 3.0 + 0.5 + 2.0)


def test_the_prices_in_the_package_are_dated_and_complete():
    table = prices()
    assert table.as_of >= "2026"
    assert {"STANDARD", "STANDARD_IA", "GLACIER_IR"} <= set(table.read_per_1000)
    assert all(price >= 0 for price in (*table.read_per_1000.values(), *table.retrieval_per_gb.values()))


@pytest.mark.parametrize("form", ["plan", "manifest"])
def test_a_run_of_a_plan_or_manifest_sends_the_requests_that_were_foreseen(world, form):
    parts = {"part_sizes": (50, 30, 20), "checksum": "SHA256", "checksum_type": "COMPOSITE"}
    for number in range(3):
        world.put(f"composite/{number}", b"x" * 100, **parts)
    listed = world.place / form
    if form == "plan":
        foreseen = world.cp("--dryrun", "--save-plan", str(listed)).summary
        flags = ("--plan", str(listed))
    else:
        foreseen = world.cp("--dryrun").summary
        assert world.cp().code == 0
        listed.write_text(world.run("manifest", str(world.dest)).out)
        flags = ("--files-from", str(listed), "--files-format", "manifest")
    gets = world.server.count("GetObject")
    again = world.cp(*flags, "--dryrun", dest=world.place / "other").summary
    for name in ("get_requests", "head_requests", "attributes_requests", "kms_calls"):
        assert again[name] == foreseen[name]
    assert world.cp(*flags, dest=world.place / "other").code == 0
    assert world.server.count("GetObject") - gets == foreseen["get_requests"]


def test_a_dry_run_foresees_objects_requests_names_and_money(world):
    world.put("big", Generated(1, 300 << 20), storage_class="STANDARD_IA")
    world.put("cold", b"x" * 1000, storage_class="GLACIER")
    world.put("a//b", b"x")
    ran = world.cp("--dryrun")
    assert ran.code == 0, ran.text
    found = ran.summary
    assert (found["objects"], found["archived"], found["archived_bytes"], found["encoded"]) == (
        15,
        1,
        1000,
        1,
    )
    assert found["largest"][0] == {"key": "big", "size": 300 << 20}
    assert found["kms_calls"] == found["get_requests"] + found["head_requests"]
    assert sum(found["reads"].values()) == found["kms_calls"]
    assert found["sizes"]["STANDARD_IA"] == 300 << 20
    assert found["costs"]["retrieval"] == pytest.approx((300 << 20) / 1e9 * 0.01)
    assert found["prices"]["as_of"] == prices().as_of
    assert found["classes"]["GLACIER"] == {"objects": 1, "bytes": 1000}
    text = world.run("cp", SOURCE, str(world.dest), "--profile", "export", "--dryrun").out
    assert ["(dryrun)", "STANDARD_IA", "1", "300", "MiB"] in [line.split() for line in text.splitlines()]
    for said in (
        "largest: 300 MiB big",
        "1 of them get another name",
        "0% of the bytes",
        "money: up to $",
        "1 Gbit/s",
    ):
        assert f"{said}" in text


def test_a_plan_is_executed_without_changes(world):
    world.put("cold", b"x", storage_class="GLACIER")
    plan = world.place / "plan.jsonl"
    assert world.cp("--dryrun", "--save-plan", str(plan), "--exclude", "data/0/*").code == 0
    lines = [json.loads(line) for line in plan.read_text().splitlines()]
    assert lines[0] == {"s3haul_plan": 1, "bucket": world.bucket.name, "prefix": ""}
    assert (lines[-1], len(lines)) == ({"end_of_plan": 8}, 10)
    world.put("data/1/new", b"not planned")
    world.put("data/1/01.bin", b"changed since")
    world.bucket.delete("data/2/02.bin")
    before = world.server.count("ListObjectsV2")
    ran = world.cp("--plan", str(plan))
    assert ran.code == 3, ran.text
    assert (ran.summary["changed"], ran.summary["vanished"]["objects"]) == (1, 1)
    wanted = {line["key"] for line in lines[1:-1]} - {"data/2/02.bin"}
    assert tree(world.dest) == world.bodies(sorted(wanted))
    assert world.server.count("ListObjectsV2") == before


def test_a_plan_of_a_moment_keeps_its_versions(world):
    world.keep_versions()
    world.put("data/1/01.bin", b"new")
    world.bucket.objects["data/1/01.bin"][0].last_modified -= 7200
    world.bucket.objects["data/1/01.bin"][0].version_id = "old"
    plan = world.place / "plan.jsonl"
    assert world.cp("--dryrun", "--save-plan", str(plan), "--at", "1h").code == 0
    ran = world.cp("--plan", str(plan))
    assert ran.code == 0, ran.text
    assert tree(world.dest) == {"data/1/01.bin": bytes([1]) * 101}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda lines: lines[:-1], "incomplete"),
        (lambda lines: [*lines[:-2], lines[-1]], "incomplete"),
        (lambda lines: [*lines, lines[1]], "continues after its last line"),
        (
            lambda lines: [lines[0].replace('"prefix": ""', '"prefix": "x/"'), *lines[1:]],
            f"the plan is for 's3://{seed.BUCKET}/x/'   [S3H-S3-23]\n  Fix: give that as the source",
        ),
        (lambda lines: lines[1:], "not a plan of version 1"),
        (lambda _: [], "/list: the plan is incomplete: it is empty"),
    ],
)
def test_a_plan_that_is_not_whole_or_not_of_this_source_is_refused(world, change, said):
    plan = world.place / "plan.jsonl"
    assert world.cp("--dryrun", "--save-plan", str(plan)).code == 0
    name = world.file(change(plan.read_text().splitlines()))
    ran = world.cp("--plan", name)
    assert ran.code == 6, ran.text
    assert said in ran.err
    assert tree(world.dest) == {}


def test_a_plan_is_for_its_owner_only_and_touches_no_other_file(world):
    plan, other = world.place / "plan", world.place / "plan.part"
    other.write_text("mine")
    assert world.cp("--dryrun", "--save-plan", str(plan)).code == 0
    assert (other.read_text(), stat.S_IMODE(plan.stat().st_mode)) == ("mine", 0o600)
    assert sorted(path.name for path in world.place.iterdir() if "plan" in path.name) == ["plan", "plan.part"]
    assert not list(world.place.glob(".s3haul*"))


def test_a_plan_that_cannot_be_written_leaves_nothing_behind(world):
    ran = world.cp("--dryrun", "--save-plan", str(world.place / "no" / "plan"))
    assert ran.code == 5, ran.text
    pipe = world.place / "pipe"  # for a device
    os.mkfifo(pipe)
    assert world.cp("--dryrun", "--save-plan", str(pipe)).code == 2
    assert pipe.is_fifo()
    assert world.cp("--save-plan", str(world.place / "plan")).code == 2, "there is no dry run"
    assert not (world.place / "plan").exists()


def test_a_run_ends_at_its_limit_of_bytes_and_the_next_ones_continue(world):
    sizes, codes = [], []
    for _ in range(4):
        ran = world.cp("--max-transfer", "450")
        codes.append(ran.code)
        sizes.append(sum(map(len, tree(world.dest).values())))
    assert codes == [7, 7, 0, 0]
    assert all(after - before <= 450 for before, after in zip([0, *sizes], sizes, strict=False))
    assert tree(world.dest) == world.bodies()


def test_a_run_that_is_at_its_limit_lists_no_further(world):
    assert world.cp("--max-transfer", "150", "--page-size", "1").code == 7
    assert world.server.count("ListObjectsV2") < 10  # of 13


def test_an_object_beyond_the_limit_is_named(world):
    ran = world.cp("--max-transfer", "50")
    assert ran.code == 7
    assert "data/0/00.bin alone has 100 B" in ran.err
    assert ran.summary["error"]["id"] == "S3H-RUN-02"


def test_a_run_ends_in_order_when_its_time_is_up(world):
    world.server.faults.add(operation="GetObject", effect="trickle", rate=50.0)
    ran = world.cp("--max-duration", "1s", "--concurrency", "1")
    assert ran.code == 7, ran.text
    assert "time is up" in ran.err
    world.server.faults.clear()
    assert world.cp().code == 0
    assert tree(world.dest) == world.bodies()


def target(key, size, landed=0):
    partial = Partial(key, '"e"', size, "t", "CRC64NVME", (Block(0, landed, 0),)) if landed else None
    return Target(ObjectRef(key, size, '"e"', 0.0), SafePath((key,)), Decision.FETCH, partial=partial)


def test_objects_are_begun_in_order_as_long_as_they_fit():
    limits = RunLimits(TransferOptions(max_transfer=100), 0.0)
    first = [target("a", 60), target("b", 500, landed=480)]
    assert limits.fitting(first) == first
    assert limits.fitting([target("c", 20), target("d", 1), target("e", 0)]) == [target("c", 20)]
    assert limits.fitting([target("f", 0)]) == []
    assert isinstance(limits.error(), LimitReachedError)


def test_a_file_that_is_verified_takes_no_bytes_unless_it_must_be_fetched():
    limits = RunLimits(TransferOptions(max_transfer=100), 0.0)
    targets = [target(key, 90)._replace(decision=Decision.VERIFY) for key in "abc"]
    assert limits.fitting(targets) == targets
    assert [limits.fits(each) for each in targets] == [True, False, False]
    assert limits.fitting(targets) == []


def test_files_that_are_here_already_do_not_use_up_the_bytes_of_a_run(world):
    assert world.cp().code == 0
    shutil.rmtree(world.dest / ".s3haul")
    assert world.cp("--max-transfer", "1").code == 0
    shutil.rmtree(world.dest / ".s3haul")
    key, body = next((key, body) for key, body in world.bodies().items() if len(body) > 10)
    (world.dest / key).write_bytes(b"x" * len(body))
    assert world.cp("--max-transfer", "10").code == 7
    assert (world.dest / key).read_bytes() == b"x" * len(body)
    assert world.cp("--max-transfer", "1M").code == 0
    assert tree(world.dest) == world.bodies()


def test_time_is_up_once():
    limits = RunLimits(TransferOptions(max_duration=10.0), 100.0)
    assert [limits.time_is_up(now) for now in (105.0, 110.0, 111.0)] == [False, True, False]
    assert isinstance(limits.error(), LimitReachedError)


@pytest.mark.parametrize(
    "words", [("--max-transfer", "much"), ("--max-duration", "0s"), ("--max-duration", "soon")]
)
def test_an_impossible_limit_is_refused(world, words):
    assert world.cp(*words).code == 2
