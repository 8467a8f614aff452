"""Keys chosen by an attacker: nothing outside the destination changes, and no output carries them raw."""

import json
import os
import re
import shlex
from pathlib import Path

import pytest

from e2e.harness import SOURCE, content, expected, manifest, paths, tree
from e2e.terminal import COLUMNS, OnTerminal
from folding_disks import mounted_folding_disk  # noqa: F401 - a fixture
from s3haul.demo import seed
from s3haul.demo.seed_objects import HOSTILE_KEYS

# What moves the cursor, forges a line or turns the reading order; the line end is the tool's own.
RAW = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
LOUD = {
    "esc": "hostile/escape\x1b[31mred\x1b]0;title\x07",
    "newline": "hostile/new\nline",
    "bidi": "hostile/bidi\u202egnp.exe",
    "c1": "hostile/c1\x85\x9b31m",
}


@pytest.fixture
def hostile(server):
    for key in HOSTILE_KEYS:
        server.cloud.put(seed.BUCKET, key, key.encode() + b"!")
    return server


@pytest.fixture
def sandbox(tmp_path):
    """A directory with a destination inside and treasures around it."""
    root = tmp_path / "sandbox" / "a" / "b"
    (root / "dest").mkdir(parents=True)
    (tmp_path / "sandbox" / "etc").mkdir()
    (tmp_path / "sandbox" / "etc" / "passwd").write_text("root")
    (root / "escape").write_text("untouched")
    return root


def snapshot(around: Path, dest: Path) -> dict[str, tuple[int, int, bytes]]:
    """Everything below `around` but the destination: mode, time and content."""
    found = {}
    for directory, names, files in os.walk(around):
        names[:] = [name for name in names if Path(directory, name) != dest]
        for name in [*names, *files]:
            path = Path(directory, name)
            status = path.lstat()
            time = 0 if path == dest.parent else status.st_mtime_ns
            body = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path.relative_to(around))] = (status.st_mode, time, body)
    return found


def test_no_key_leaves_the_destination_and_every_key_is_stored(hostile, machine, sandbox, tmp_path):
    dest = sandbox / "dest"
    before = snapshot(tmp_path / "sandbox", dest)
    ran = machine.cp(dest)
    assert ran.code == 0, ran.text
    assert tree(dest) == expected(hostile)
    assert len(set(paths(hostile).values())) == len(hostile.cloud.buckets[seed.BUCKET].objects)
    assert snapshot(tmp_path / "sandbox", dest) == before
    assert not Path("/z").exists()
    assert {line["path"] for line in manifest(machine, dest).values()} == set(paths(hostile).values())
    assert machine.run("verify", str(dest)).code == 0


def test_links_that_somebody_planted_are_not_followed(hostile, machine, sandbox, tmp_path):
    dest, outside = sandbox / "dest", tmp_path / "sandbox" / "outside"
    outside.mkdir()
    (outside / "victim").write_text("untouched")
    (dest / "hostile").symlink_to(outside)
    (dest / "soap").symlink_to(outside / "victim")
    (dest / "-rf").symlink_to(outside / "not-there")
    before = snapshot(tmp_path / "sandbox", dest)
    ran = machine.cp(dest)
    assert ran.code == 1, ran.text
    assert snapshot(tmp_path / "sandbox", dest) == before
    assert set(ran.failed) == {"path-in-the-way"}
    blocked = {
        key for key, path in paths(hostile).items() if path.startswith("hostile/") or path in {"soap", "-rf"}
    }
    assert ran.failed["path-in-the-way"] == len(blocked)
    assert (dest / "hostile").is_symlink()
    for key, line in manifest(machine, dest).items():
        assert line["state"] == ("failed" if key in blocked else "done"), key


@pytest.mark.parametrize("style", [(), ("--json", "--log-format", "json")], ids=["text", "json"])
def test_keys_are_escaped_in_every_output(server, machine, dest, style):
    for number, key in enumerate(LOUD.values()):
        server.cloud.put(seed.BUCKET, key, b"%d" % number)
        message = f"no {key} for you"
        server.faults.add("error", operation="GetObject", key=key, status=403, code="Denied", message=message)
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", *style)
    assert ran.code == 1, ran.text
    assert "31mred" in ran.text
    assert not RAW.search(ran.text), RAW.search(ran.text)
    if style:
        assert all(json.loads(line) for line in ran.err.splitlines())
    listed = machine.run("manifest", str(dest))
    assert len(listed.out.splitlines()) == len(server.cloud.buckets[seed.BUCKET].objects)
    assert listed.out.isascii()
    assert not RAW.search(listed.out)


def test_data_for_programs_has_the_exact_keys_in_a_pipe_and_harmless_ones_on_a_terminal(
    server, machine, dest
):
    key = LOUD["esc"] + "\u00e9"
    server.cloud.put(seed.BUCKET, key, b"x")
    assert machine.run("cp", f"{SOURCE}/hostile/", str(dest), "--profile", "export").code == 0
    table = ("manifest", str(dest), "--format", "csv")
    assert f"\n{key}," in machine.run(*table, PYTHONIOENCODING="ascii").out
    terminal = OnTerminal(machine, *table)
    assert terminal.end() == 0
    assert "hostile/escape\\u001b[31mred\\u001b]0;title\\u0007\u00e9," in "".join(terminal.rows)


def test_a_restore_plan_can_be_copied_from_a_terminal(server, machine, dest):
    key = 'say "\x1b[2J"'
    server.cloud.put(seed.BUCKET, key, b"cold", storage_class="GLACIER")
    assert machine.run("cp", SOURCE, str(dest), "--profile", "export").code == 3
    terminal = OnTerminal(machine, "restore", str(dest), "--format", "shell")
    assert terminal.end() == 0
    shown = "".join(line.ljust(COLUMNS) for line in terminal.screen.display).partition("GLACIER:")[0]
    assert json.loads(shlex.split(shown)[-1])["Key"] == key


def test_keys_are_escaped_where_they_are_only_listed_or_verified(server, machine, dest):
    for key in LOUD.values():
        server.cloud.put(seed.BUCKET, key, b"four")
    dry = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--dryrun")
    assert dry.code == 0, dry.text
    assert "31mred" in dry.out
    assert "line" in dry.out
    assert not RAW.search(dry.text)
    assert machine.cp(dest).code == 0
    for key in LOUD.values():
        (dest / key).write_text("evil")
    ran = machine.run("verify", str(dest))
    assert ran.code == 1
    assert len(ran.err.splitlines()) == len(LOUD)
    assert not RAW.search(ran.text)


def test_keys_that_are_the_same_name_for_the_disk_are_all_stored_and_keep_their_names(
    server, machine, folding_disk
):
    for key in ("k/A.bin", "k/a.bin", "K/a.bin", "k/A.bin/below", "k/caf\u00e9", "k/cafe\u0301"):
        server.cloud.put(seed.BUCKET, key, key.encode())
    dest, total = folding_disk / "dest", len(paths(server))
    for number in range(2):
        ran = machine.cp(dest)
        assert ran.code == 0, ran.text
        assert ran.summary["unchanged" if number else "done"]["objects"] == total
    stored = server.cloud.buckets[seed.BUCKET].objects
    for key, line in manifest(machine, dest).items():
        if not key.endswith("/"):
            assert (dest / line["path"]).read_bytes() == content(stored[key][-1]), key
    ran = machine.run("verify", str(dest))
    assert ran.code == 0, ran.text
