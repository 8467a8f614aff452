"""Objects named by a list: a run over just these, and what has become of them since."""

import json
import re
import shutil
import subprocess

import pytest

from s3haul.cli.help_topics import topic_text
from s3haul.demo import seed
from s3haul.errors import SourceError
from sources.world import SOURCE, tree

SOME = ["data/0/00.bin", "data/1/04.bin", "data/2/11.bin"]


def test_only_the_keys_of_a_list_are_copied_and_nothing_is_listed(world):
    ran = world.cp("--files-from", world.file([*reversed(SOME), "", SOME[0]]))
    assert ran.code == 0, ran.text
    assert tree(world.dest) == world.bodies(SOME)
    assert ran.summary["selected"]["objects"] == len(SOME)
    assert ran.summary["balanced"]
    assert world.server.count("ListObjectsV2") == 0
    assert world.cp("--files-from", world.file(SOME)).summary["unchanged"]["objects"] == len(SOME)


def test_a_list_comes_from_standard_input(world):
    for given, encoding in (("\n".join(SOME[:2]), "raw"), (SOME[2].replace("/", "%2F"), "url")):
        ran = world.cp("--files-from", "-", "--files-encoding", encoding, given=given)
        assert ran.code == 0, ran.text
    assert tree(world.dest) == world.bodies(SOME)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed")
@pytest.mark.parametrize("gone", [False, True])
def test_the_question_of_the_help_whether_a_copy_is_complete_has_the_right_answer(world, gone):
    ran = world.cp("--files-from", world.file([*SOME, *(["data/0/gone.bin"] if gone else [])]))
    questions = re.findall(r"--json \| jq -e '(.+)'$", topic_text("json"), re.MULTILINE)
    assert len(questions) == 2
    for question in questions:
        asked = subprocess.run(
            ["jq", "-e", question], input=ran.out, text=True, capture_output=True, check=False
        )
        assert (asked.returncode, asked.stdout) == ((1, "false\n") if gone else (0, "true\n"))


def test_what_has_vanished_is_a_state_of_its_own(world):
    ran = world.cp("--files-from", world.file([*SOME, "data/0/gone.bin"]))
    assert ran.code == 3, ran.text
    assert ran.summary["vanished"] == {"objects": 1, "examples": ["data/0/gone.bin"]}
    assert ran.summary["failed"] == []
    assert ran.summary["balanced"]
    assert tree(world.dest) == world.bodies(SOME)
    line = world.manifest()["data/0/gone.bin"]
    assert (line["state"], line["reason"]) == ("vanished", "vanished")
    assert list(world.manifest("--state", "vanished")) == ["data/0/gone.bin"]


def test_with_a_manifest_of_an_earlier_run_changed_and_deleted_objects_are_reported(world):
    assert world.cp().code == 0
    lines = world.run("manifest", str(world.dest)).out.splitlines()
    world.put(SOME[0], b"another")
    world.bucket.delete(SOME[1])
    before = world.server.count("HeadObject")
    other = world.place / "other"
    ran = world.cp("--files-from", world.file(lines), "--files-format", "manifest", dest=other)
    assert ran.code == 3, ran.text
    assert (ran.summary["changed"], ran.summary["vanished"]["objects"]) == (1, 1)
    assert tree(other) == world.bodies()
    assert world.server.count("ListObjectsV2") == 1, "that of the first run"
    assert world.server.count("HeadObject") == before + 1, "of the object that changed"


def test_a_list_keeps_the_objects_of_other_runs_in_the_manifest(world):
    assert world.cp().code == 0
    assert world.cp("--files-from", world.file(SOME)).code == 0
    assert len(world.manifest()) == len(world.bucket.objects)


def test_a_url_of_the_bucket_is_taken_as_its_key_and_that_is_said(world):
    ran = world.cp("--files-from", world.file([f"{SOURCE}/{SOME[0]}", SOME[1]]))
    assert ran.code == 0, ran.text
    assert any(said.startswith("Taken as keys: 1 URL of ") for said in ran.summary["warnings"])
    assert tree(world.dest) == world.bodies(SOME[:2])
    key = f"{SOURCE}/{SOME[0]}"
    world.put(key, b"a key that looks like a URL")
    ran = world.cp("--files-from", world.file([key.replace(":", "%3A")]), "--files-encoding", "url")
    assert (ran.code, list(world.manifest())[-1]) == (0, key)
    assert ran.summary["warnings"] == []


def test_csv_names_bucket_key_and_version(world):
    world.keep_versions()
    old = world.put("a b+c.txt", b"old")
    world.put("a b+c.txt", b"new")
    rows = [f"{seed.BUCKET},a+b%2Bc.txt,{old.version_id}", f'"{seed.BUCKET}","{SOME[0]}"']
    ran = world.cp("--files-from", world.file(rows), "--files-format", "csv")
    assert ran.code == 0, ran.text
    assert tree(world.dest) == world.bodies(SOME[:1]) | {"a b+c.txt": b"old"}
    ran = world.cp("--files-from", world.file([*rows, f"{seed.BUCKET},a b%2Bc.txt"]), "--files-format", "csv")
    assert (ran.code, "more than one version" in ran.err) == (6, True)


def test_a_batch_report_names_the_objects_whose_task_succeeded(world):
    rows = [
        f"{seed.BUCKET},{SOME[0]},,succeeded,,200,",
        f"{seed.BUCKET},{SOME[1]},,failed,403,AccessDenied,no",
    ]
    ran = world.cp("--files-from", world.file(rows), "--files-format", "batch-report")
    assert ran.code == 0, ran.text
    assert tree(world.dest) == world.bodies(SOME[:1])
    assert any("1 task" in said for said in ran.summary["warnings"])


def test_keys_outside_the_source_are_left_out_with_a_message(world):
    below = f"{SOURCE}/data/0/"
    ran = world.cp("--files-from", world.file(SOME), "--exclude", "*.txt", source=below)
    assert ran.code == 0, ran.text
    assert set(tree(world.dest)) == {"00.bin"}
    assert any(said.startswith("Left out") and "2 keys" in said for said in ran.summary["warnings"])


@pytest.mark.parametrize(
    ("rows", "form", "said"),
    [
        (["other,a"], "csv", "line 1: it names the bucket 'other'"),
        ([f"{seed.BUCKET},%FF"], "csv", "not UTF-8"),
        ([f"{seed.BUCKET},a,b,c"], "csv", "4 columns"),
        ([f'{seed.BUCKET},"a'], "csv", "not CSV"),
        (["a", "b" * 1025], "keys", "line 2: the key 'bbb"),
        (["x" * 70_000], "keys", "line is longer"),
        (["a", "s3://other/b"], "keys", "line 2: 's3://other/b' is a URL of another bucket"),
        ([f"s3://{seed.BUCKET}/"], "keys", "line 1: the key is empty"),
        (["{}"], "manifest", "line 1: the key is empty"),
        (["[" * 20_000], "manifest", "not a JSON object"),
        (['{"key": "a", "size": -1}'], "manifest", "'-1' is not a size"),
        (['{"key": "a", "etag": "x\\u001b"}'], "manifest", "not an ETag"),
        (["a,b"], "batch-report", "not a line of a report"),
    ],
)
def test_an_invalid_list_is_refused_with_its_line(world, rows, form, said):
    ran = world.cp("--files-from", world.file(rows), "--files-format", form)
    assert ran.code == 6, ran.text
    assert said in ran.err
    assert "S3H-S3-23" in ran.err
    assert tree(world.dest) == {}


def test_a_dry_run_of_a_list_counts_what_is_gone(world):
    ran = world.cp("--files-from", world.file([*SOME, "gone"]), "--dryrun")
    assert ran.code == 0, ran.text
    counted = json.loads(ran.out)
    assert (counted["objects"], counted["vanished"], counted["list_requests"]) == (3, 1, 0)


def test_flags_of_lists_that_contradict_each_other_are_refused(world):
    names = world.file(SOME)
    for words in (
        ("--files-format", "csv"),
        ("--files-from", names, "--files-format", "manifest", "--files-encoding", "raw"),
    ):
        assert world.cp(*words).code == 2
    ran = world.cp("--files-from", names, source=f"{SOURCE}/{SOME[0]}")
    assert ran.code == 2
    assert world.cp("--files-from", names + "x").code == 6


@pytest.mark.parametrize("key", ["data/0/09.bin", "data/2/11.bin"])
def test_an_entry_that_names_no_usable_object_is_a_failure_and_no_bug(world, monkeypatch, key):
    monkeypatch.setattr("s3haul.demo.s3_list.url_encoded", lambda text: text.replace(key, f"{key[:7]}%FF"))
    for page_size in ("1000", "1"):
        ran = world.cp("--page-size", page_size, "--reconcile")
        assert ran.code == 1, ran.text
        assert [cause["reason"] for cause in ran.summary["failed"]] == ["unusable-entry"]
        assert ran.summary["balanced"]
        assert ran.summary["reconciled"]["deleted"] == 0
    assert world.manifest()[f"{key[:7]}\udcff"]["reason"] == "unusable-entry"


@pytest.mark.parametrize("order", [["d", "d/e", "d/e/f"], ["d/e/f", "d/e", "d"], ["d/e", "d/e/f", "d"]])
def test_keys_of_several_lists_that_are_file_and_directory_of_each_other_are_all_stored(world, order):
    for key in order:
        world.put(key, key.encode())
    for key in order:
        ran = world.cp("--files-from", world.file([key]))
        assert ran.code == 0, ran.text
        assert ran.summary["done"]["objects"] == 1
    wanted = {"~s3haul~@d": b"d", "d/~s3haul~@e": b"d/e", "d/e/f": b"d/e/f"}
    assert tree(world.dest) == wanted
    assert world.run("verify", str(world.dest)).code == 0
    again = world.cp("--files-from", world.file(order))
    assert again.summary["unchanged"]["objects"] == 3
    assert world.cp("--include", "d*").code == 0
    assert {path: body for path, body in tree(world.dest).items() if "data" not in path} == wanted


def test_a_list_of_objects_that_are_all_refused_ends_the_run_at_its_first_page(world, monkeypatch):
    monkeypatch.setattr("s3haul.engine.object_sources.PAGE", 100)
    keys = world.file([f"data/0/00.bin{n}" for n in range(300)])
    world.server.cloud.roles[seed.ROLE_ARN].policies.clear()
    ran = world.cp("--files-from", keys)
    assert ran.code == 4, ran.text
    assert world.server.count("HeadObject") < 200


def test_an_empty_list_selects_nothing_and_says_so(world):
    ran = world.cp("--files-from", world.file([]))
    assert ran.code == 0
    assert any("the list is empty" in said for said in ran.summary["warnings"])
    assert world.cp("--files-from", world.file([]), "--fail-if-empty").code == 6


@pytest.mark.parametrize("flags", [(), ("--dryrun",)])
def test_what_ends_a_run_while_objects_are_looked_up_is_one_error(world, monkeypatch, flags):
    async def head(*_args, **_named):
        raise SourceError("The lights went out.")

    monkeypatch.setattr("s3haul.store.retrying.RetryingStore.head", head)
    ran = world.cp("--files-from", world.file(SOME), *flags)
    assert (ran.code, "The lights went out" in ran.err) == (6, True), ran.text
