"""The flags that choose what is copied and where to: as `aws s3 cp` has them."""

import csv
import io
import json

import pyarrow.parquet
import pytest

from contract.stores import MAY_SEE_PARTS
from e2e.harness import SOURCE, bucket, expected, tree
from s3haul.demo import seed
from s3haul.demo.content import Generated


def copy(machine, source, dest, *arguments, **options):
    return machine.run("cp", source, str(dest), "--profile", "export", *arguments, **options)


def test_a_dry_run_lists_and_counts_and_writes_nothing(server, machine, dest):
    server.cloud.put(seed.BUCKET, "cold.bin", b"cold", storage_class="GLACIER")
    ran = copy(machine, SOURCE, dest, "--dryrun")
    assert ran.code == 0, ran.text
    assert not dest.exists()
    assert server.count("GetObject") == server.count("HeadObject") == 0
    hot = set(bucket(server).objects) - {"cold.bin"}
    lines = [line for line in ran.out.splitlines() if line.startswith("(dryrun) download: ")]
    assert {line.split()[2] for line in lines} == {f"{SOURCE}/{key}" for key in hot}
    assert "61 objects" in ran.out
    assert "60 GET" in ran.out
    counted = json.loads(copy(machine, SOURCE, dest, "--dryrun", "--json").out)
    assert (counted["objects"], counted["archived"]) == (61, 1)
    assert counted["bytes"] == sum(stored[-1].size for stored in bucket(server).objects.values())


@pytest.mark.parametrize("may_see_parts", [False, True])
def test_a_dry_run_foresees_the_requests_that_the_run_sends(server, machine, dest, may_see_parts):
    composite = {"checksum": "SHA256", "checksum_type": "COMPOSITE"}
    server.cloud.put(seed.BUCKET, "marker/", b"")
    server.cloud.put(seed.BUCKET, "one-part.bin", b"x" * 10, part_sizes=(10,), **composite)
    server.cloud.put(seed.BUCKET, "small.bin", b"x" * 100, part_sizes=(50, 30, 20), **composite)
    large = Generated(7, 80 << 20)
    server.cloud.put(seed.BUCKET, "large.bin", large, part_sizes=(40 << 20, 40 << 20), **composite)
    if may_see_parts:
        server.cloud.roles[seed.ROLE_ARN].policies.append(MAY_SEE_PARTS)
    estimate = json.loads(copy(machine, SOURCE, dest, "--dryrun", "--json").out)
    assert machine.cp(dest).code == 0
    sent = {name: server.count(name) for name in ("GetObject", "HeadObject", "GetObjectAttributes")}
    assert sent == {
        "GetObject": estimate["get_requests"],
        "HeadObject": estimate["head_requests"] - (estimate["part_heads"] if may_see_parts else 0),
        "GetObjectAttributes": estimate["attributes_requests"],
    }
    assert sum(estimate["reads"].values()) == (
        estimate["get_requests"] + estimate["head_requests"] + estimate["attributes_requests"]
    )


def test_a_dry_run_after_a_run_has_nothing_to_fetch(server, machine, dest):
    assert machine.cp(dest).code == 0
    server.cloud.put(seed.BUCKET, "large.bin", Generated(7, 200 << 20), sse="AES256")
    counted = json.loads(copy(machine, SOURCE, dest, "--dryrun", "--json").out)
    assert (counted["objects"], counted["unchanged"]) == (61, 60)
    assert (counted["needed_bytes"], counted["head_requests"]) == (200 << 20, 1)
    assert 1 < counted["get_requests"] < counted["most_get_requests"] <= 13
    assert min(counted["free_bytes"], counted["free_files"]) > 0
    listed = copy(machine, SOURCE, dest, "--dryrun").out.splitlines()
    assert [line for line in listed if "download" in line] == [
        f"(dryrun) download: {SOURCE}/large.bin to {dest}/large.bin"
    ]
    assert "(dryrun) 60 of them are already here, according to the journal" in listed
    least, most, before = counted["get_requests"], counted["most_get_requests"], server.count("GetObject")
    assert f"requests: 1 LIST, {least} to {most} GET, 1 HEAD" in "\n".join(listed)
    assert machine.cp(dest).code == 0
    assert server.count("GetObject") - before == most


def test_a_quiet_dry_run_prints_only_warnings_and_what_is_asked_for(server, machine, dest):
    assert copy(machine, SOURCE, dest, "--dryrun", "-q").text == ""
    assert json.loads(copy(machine, SOURCE, dest, "--dryrun", "-q", "--json").out)["objects"] == 60
    server.cloud.put(seed.BUCKET, "vast", Generated(1, 1 << 60))
    ran = copy(machine, SOURCE, dest, "--dryrun", "-q")
    assert (ran.out, ran.err.startswith("! ")) == ("", True)


@pytest.mark.parametrize("form", [(), ("-q",), ("--json",), ("--log-format", "json"), ("--dryrun",)])
@pytest.mark.parametrize("choice", [("/nothing/",), ("", "--include", "data/*", "--exclude", "*")])
def test_a_selection_of_nothing_is_a_warning_everywhere_and_an_error_on_request(machine, dest, form, choice):
    source, *filters = choice
    ran = copy(machine, SOURCE + source, dest, *filters, *form)
    assert ran.code == 0
    assert "[S3H-S3-19]" in ran.err or '"S3H-S3-19"' in ran.err
    if form == ("--json",):
        assert len(ran.summary["warnings"]) == 1
    assert copy(machine, SOURCE + source, dest, *filters, *form, "--fail-if-empty").code == 6


def test_the_manifest_lists_some_states_only_and_comes_as_csv(server, machine, dest):
    server.cloud.put(seed.BUCKET, 'cold, "quoted"\nkey', b"cold", storage_class="GLACIER")
    assert machine.cp(dest).code == 3
    only = machine.run("manifest", str(dest), "--state", "skipped", "--state", "failed")
    (line,) = only.out.splitlines()
    assert json.loads(line)["reason"] == "archived"
    table = list(csv.DictReader(io.StringIO(machine.run("manifest", str(dest), "--format", "csv").out)))
    assert len(table) == 61
    assert table[0]["key"] == 'cold, "quoted"\nkey'
    lines = [json.loads(line) for line in machine.run("manifest", str(dest)).out.splitlines()]
    assert [row["checksum_value"] for row in table[1:]] == [line["checksum"]["value"] for line in lines[1:]]
    assert not any(set(line) - set(table[0]) - {"checksum", "part_sizes"} for line in lines)


def test_the_manifest_is_a_table_with_every_field_of_every_object(server, machine, dest, tmp_path):
    owner = (("owner", "team-é"), ("stage", "raw"))
    server.cloud.put(
        seed.BUCKET, "a.csv", b"1", content_type="text/csv", metadata=owner, storage_class="STANDARD_IA"
    )
    server.cloud.put(seed.BUCKET, "b.csv", b"cold", storage_class="GLACIER")
    assert machine.cp(dest).code == 3
    line = json.loads(machine.run("manifest", str(dest)).out.splitlines()[0])
    assert (line["storage_class"], line["content_type"]) == ("STANDARD_IA", "text/csv")
    assert set(line["user_metadata"]) == {"owner", "stage"}
    table = list(csv.DictReader(io.StringIO(machine.run("manifest", str(dest), "--format", "csv").out)))
    file = tmp_path / "m.parquet"
    with file.open("wb") as stdout:
        assert machine.run("manifest", str(dest), "--format", "parquet", stdout=stdout).code == 0
    rows = pyarrow.parquet.read_table(file).to_pylist()
    assert len(rows) == len(table) == 62
    assert list(rows[0]) == list(table[0])
    assert rows[0]["size"] == 1
    assert rows[0]["last_modified"].tzinfo is not None
    assert (
        json.loads(rows[0]["user_metadata"]) == json.loads(table[0]["user_metadata"]) == line["user_metadata"]
    )
    assert (rows[1]["state"], rows[1]["content_type"], table[1]["content_type"]) == ("skipped", None, "")
    same = set(table[0]) - {"last_modified"}
    spelled = [{name: "" if row[name] is None else str(row[name]) for name in same} for row in rows]
    assert spelled == [{name: row[name] for name in same} for row in table]


def test_a_key_that_stdout_cannot_spell_is_shown_escaped(server, machine, dest):
    server.cloud.put(seed.BUCKET, "café/日本.txt", b"x")
    ascii_only = {"LANG": "C", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    ran = copy(machine, SOURCE, dest, "--dryrun", **ascii_only)
    assert ran.code == 0, ran.text
    assert "caf\\xe9/\\u65e5\\u672c.txt" in ran.out


def test_the_last_filter_that_matches_decides(server, machine, dest, tmp_path):
    everything = set(expected(server))
    ran = copy(machine, SOURCE, dest, "--exclude", "*", "--include", "data/1/*", "--json")
    assert ran.code == 0, ran.text
    assert set(tree(dest)) == {path for path in everything if path.startswith("data/1/")}
    assert ran.summary["filtered"] == 0  # the rest was not even listed
    other = tmp_path / "other"
    ran = copy(machine, SOURCE, other, "--include", "data/1/*", "--exclude", "data/?/*1.bin", "--json")
    assert ran.code == 0, ran.text
    assert set(tree(other)) == {path for path in everything if not path.endswith("1.bin")}


def test_one_object_goes_to_a_file_name_or_into_a_directory(server, machine, tmp_path):
    key = "data/4/object-0004.bin"
    body = expected(server)[key]
    there = tmp_path / "there"
    there.mkdir()
    assert copy(machine, f"{SOURCE}/{key}", there / "renamed.bin").code == 0
    assert tree(there) == {"renamed.bin": body}
    into = tmp_path / "into"
    into.mkdir()
    assert copy(machine, f"{SOURCE}/{key}", into).code == 0
    assert copy(machine, f"{SOURCE}/{key}", f"{tmp_path}/new/").code == 0
    assert tree(into) == tree(tmp_path / "new") == {"object-0004.bin": body}
    assert machine.run("verify", str(there)).code == 0


def test_a_contradictory_command_line_is_exit_code_2(machine, server, dest):
    for arguments in (
        ("cp", "http://bucket", str(dest)),
        ("cp", SOURCE, "s3://other"),
        ("cp", SOURCE, str(dest), "--no-such-flag"),
        ("help", "no-such-topic"),
    ):
        ran = machine.run(*arguments)
        assert ran.code == 2, (arguments, ran.text)
        assert ran.err
    assert not dest.exists()
    assert not server.calls


@pytest.mark.parametrize(
    "words",
    [
        ("--ignore-glacier-warnings", "--no-follow-symlinks", "--no-cli-pager"),
        ("--checksum-mode", "ENABLED", "--source-region", "eu-west-1", "--color", "off"),
        ("--cli-read-timeout", "60", "--cli-connect-timeout=60", "--debug"),
    ],
)
def test_flags_of_aws_that_change_nothing_here_are_accepted(server, machine, dest, words):
    ran = copy(machine, SOURCE, dest, "--recursive", *words)
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(server)


def test_no_overwrite_leaves_files_alone_that_are_here_already(server, machine, dest):
    (dest / "data/1").mkdir(parents=True)
    (dest / "data/1/object-0001.bin").write_text("mine")
    assert copy(machine, SOURCE, dest, "--no-overwrite").code == 3
    assert tree(dest) == expected(server) | {"data/1/object-0001.bin": b"mine"}
    ran = copy(machine, SOURCE, dest, "--no-overwrite", "--existing", "overwrite")
    assert (ran.code, "contradict each other" in ran.err) == (2, True)


def test_recursive_and_dry_run_are_understood_as_others_spell_them(machine, dest):
    ran = copy(machine, f"{SOURCE}/data", dest, "-r", "--dry-run")
    assert ran.code == 0, ran.text
    assert "60 objects" in ran.out
    assert not dest.exists()


@pytest.mark.parametrize("form", [(), ("--dryrun",)])
def test_an_include_that_leaves_nothing_out_is_a_warning(machine, dest, form):
    ran = copy(machine, SOURCE, dest, "--include", "*.parquet", *form)
    assert ran.code == 0, ran.text
    assert "! --include alone leaves nothing out: write --exclude '*' before it" in ran.err
    ran = copy(machine, SOURCE, dest, "--exclude", "*", "--include", "data/*", *form)
    assert "!" not in ran.err


@pytest.mark.parametrize(
    ("key", "instead"),
    [
        ("data/1/*.bin", "/data/1/ {dest} --exclude '*' --include '*.bin'"),
        ("data/?/x*", "/data/ {dest} --exclude '*' --include '?/x*'"),
        ("data/*", "/data/ {dest}\n"),
    ],
)
def test_a_source_that_looks_like_a_pattern_is_used_literally_with_a_warning(machine, dest, key, instead):
    ran = copy(machine, f"{SOURCE}/{key}", dest)
    assert ran.code == 6
    assert (
        "! * and ? in the source are part of the key: for a pattern,"
        f" write s3haul cp {SOURCE}{instead.format(dest=dest)}" in ran.err
    )


def test_a_key_with_a_star_is_copied(server, machine, dest):
    server.cloud.put(seed.BUCKET, "a*", b"star")
    assert copy(machine, f"{SOURCE}/a*", f"{dest}/").code == 0
    assert tree(dest) == {"a*": b"star"}


def test_a_run_takes_its_flags_from_the_environment(server, machine, dest):
    variables = {"S3HAUL_PROFILE": "export", "S3HAUL_JSON": "1", "S3HAUL_EXCLUDE": "data/0/* data/1/*"}
    ran = machine.run("cp", SOURCE, str(dest), **variables)
    assert ran.code == 0, ran.text
    assert ran.summary["filtered"] == 18
    left = {path for path in expected(server) if not path.startswith(("data/0/", "data/1/"))}
    assert set(tree(dest)) == left
