"""What goes wrong on this side: the disk, the directory, another run. Exit code 5,
and nothing is asked of AWS."""

import os
import shutil
import subprocess

import pytest

from e2e.harness import SOURCE, expected, leftovers, tree, wait_until
from e2e.test_repair import heal
from s3haul.demo import seed
from s3haul.demo.content import Generated


def copy(machine, dest, *arguments, **options):
    return machine.run("cp", SOURCE, str(dest), "--profile", "export", *arguments, **options)


def needs_root(tool: str) -> str:
    """The path of `tool`; skips the test, visibly, where it or root is missing."""
    path = shutil.which(tool)
    if path is None or os.geteuid() != 0:
        pytest.skip(f"needs root and {tool}")
    return path


@pytest.fixture
def mounted(dest):
    """`dest` as a file system of 1 MiB, in the namespace of one shell command only."""
    dest.mkdir()
    probe = [needs_root("unshare"), "--mount", "mount", "-t", "tmpfs", "tmpfs", str(dest)]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        pytest.skip("this kernel or container lets nobody mount a tmpfs")
    return dest


# Twice the same command, on a full disk and on a larger one; then the tree is carried out of the namespace.
FULL_DISK = """
mount -t tmpfs -o {limit} tmpfs "$DEST"
"$@"; echo "exit code $?"; echo "left over: $(ls -A "$DEST/.s3haul/tmp" | wc -l)"
mount -o remount,size=64m,nr_inodes=100k tmpfs "$DEST"
"$@"; echo "exit code $?"
cp -a "$DEST/." "$OUT"
"""


@pytest.mark.parametrize(
    "limit",
    ["size=1m", "size=64m,nr_inodes=40"],
    ids=["bytes", "inodes"],
)
def test_a_full_disk_is_exit_code_5_and_the_same_command_resumes_when_there_is_space(
    server, machine, mounted, tmp_path, limit
):
    for number in range(5):
        server.cloud.put(seed.BUCKET, f"z/big/{number}", Generated(number, 600_000 * (1 + number)))
    out = tmp_path / "out"
    out.mkdir()
    script = FULL_DISK.format(limit=limit)
    ran = copy(
        machine,
        mounted,
        wrapper=["unshare", "--mount", "sh", "-c", script, "sh"],
        DEST=str(mounted),
        OUT=str(out),
    )
    assert ran.out.count("exit code 5") == 1, ran.text
    assert ran.out.rstrip().endswith("exit code 0"), ran.text
    assert "left over: 0" in ran.out
    assert "[S3H-DST-02]" in ran.err
    sizes = () if "write the journal" in ran.err else ("free:", "needed:")  # whichever meets the end first
    for word in ("the disk is full", "free some space", "the same command again", *sizes):
        assert word in ran.err
    assert ran.err.count("x Cannot") == 1
    assert tree(out) == expected(server)


EITHER = pytest.mark.parametrize("mode", [(), ("--dryrun",)], ids=["run", "dry run"])


@EITHER
def test_a_directory_that_cannot_be_written_is_exit_code_5(server, machine, dest, mode):
    dest.mkdir(mode=0o555)
    wrapper = []
    if os.geteuid() == 0:
        # root without the right to override permissions
        setpriv = needs_root("setpriv")
        wrapper = [setpriv, "--bounding-set=-dac_override,-dac_read_search", "--"]
    ran = copy(machine, dest, *mode, wrapper=wrapper)
    assert ran.code == 5, ran.text
    assert "[S3H-DST-01]" in ran.err
    assert f"{dest} is not writable" in ran.err
    assert "change its permissions" in ran.err
    assert not server.calls


def test_a_second_run_on_the_same_destination_is_refused_and_names_the_first(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=3.0)
    with machine.start("cp", SOURCE, str(dest), "--profile", "export") as first:
        wait_until(lambda: server.count("GetObject"), "the first run")
        ran = copy(machine, dest)
        assert ran.code == 5, ran.text
        assert "[S3H-DST-03]" in ran.err
        assert f"process {first.pid} on" in ran.err
        server.faults.clear()
        first.communicate(timeout=30)
        assert first.returncode == 0
    assert tree(dest) == expected(server)


@EITHER
@pytest.mark.parametrize(
    "place", ["/", "the home directory", "a file", "below a file", "a file as state", "a name too long"]
)
def test_a_destination_that_must_not_or_cannot_receive_files_is_refused(
    server, machine, tmp_path, place, mode
):
    file = tmp_path / "own" / ".s3haul"
    file.parent.mkdir()
    file.write_text("mine")
    where, said = {
        "/": ("/", "destination is /,"),
        "the home directory": (machine.home, "home directory"),
        "a file": (file, "not a directory"),
        "below a file": (file / "a/b", "not a directory"),
        "a file as state": (file.parent, ".s3haul in "),
        "a name too long": (tmp_path / ("n" * 300), "the name is too long"),
    }[place]
    before = sorted(machine.home.iterdir())
    ran = copy(machine, where, *mode)
    assert ran.code == 5, ran.text
    assert "[S3H-DST-01]" in ran.err
    assert said in ran.err
    assert "Fix:" in ran.err or place == "a name too long"
    assert file.read_text() == "mine"
    assert sorted(machine.home.iterdir()) == before
    assert not server.calls


def test_single_objects_and_prefixes_of_one_bucket_share_a_directory(server, machine, dest):
    server.cloud.put(seed.BUCKET, "own/x.txt", b"of own")
    server.cloud.put(seed.BUCKET, "other/x.txt", b"of other")
    server.cloud.put(seed.BUCKET, "other/y.txt", b"second")
    for key in ("own/x.txt", "other/y.txt", "own/x.txt"):
        assert machine.run("cp", f"{SOURCE}/{key}", f"{dest}/", "--profile", "export").code == 0
    assert tree(dest) == {"x.txt": b"of own", "y.txt": b"second"}
    foreseen = machine.run("cp", f"{SOURCE}/other/", str(dest), "--profile", "export", "--dryrun", "--json")
    assert [foreseen.summary[name] for name in ("objects", "unchanged", "taken", "get_requests")] == [
        2,
        1,
        1,
        0,
    ]
    ran = machine.run("cp", f"{SOURCE}/other/", str(dest), "--profile", "export")
    assert ran.code == 1, ran.text
    for word in ("[S3H-DST-14]", "other/x.txt", "x.txt is the file of own/x.txt", "1 object already here"):
        assert word in ran.text
    assert tree(dest) == {"x.txt": b"of own", "y.txt": b"second"}
    assert machine.run("verify", str(dest)).code == 0
    (dest / "x.txt").write_bytes(b"damage")
    (dest / "y.txt").unlink()
    heal(server, machine, dest, "other/y.txt", "own/x.txt")
    assert tree(dest) == {"x.txt": b"of own", "y.txt": b"second"}
    found = machine.run("status", str(dest), "--json").summary
    assert found["source"] == f"{SOURCE}/"
    assert {run["prefix"] for run in found["runs"]} == {"own/x.txt", "other/y.txt", "other/"}


@EITHER
def test_a_destination_of_another_source_is_refused_and_stays_as_it_is(server, machine, dest, mode):
    assert copy(machine, dest).code == 0
    before = tree(dest)
    ran = machine.run("cp", f"{SOURCE}/data/1/", str(dest), "--profile", "export", *mode)
    assert ran.code == 5, ran.text
    assert "[S3H-DST-04]" in ran.err
    assert f"s3://{seed.BUCKET}/data/1/" in ran.err
    assert "choose another destination" in ran.err
    assert tree(dest) == before


@EITHER
def test_a_mistyped_source_does_not_claim_the_destination(machine, dest, mode):
    assert machine.run("cp", f"{SOURCE}/typo/x", str(dest / "x"), "--profile", "export").code == 6
    ran = machine.run("cp", f"{SOURCE}/data/1/", str(dest), "--profile", "export", *mode)
    assert (ran.code, "journal of" in ran.err) == (0, False), ran.text
    if not mode:
        assert machine.run("cp", f"{SOURCE}/data/", str(dest), "--profile", "export").code == 5


def test_a_destination_that_is_moved_during_the_run_ends_it_and_is_not_created_again(server, machine, dest):
    server.faults.add("delay", operation="GetObject", seconds=0.3)
    with machine.start("cp", SOURCE, str(dest), "--profile", "export", "--concurrency", "4") as process:
        wait_until(lambda: server.count("GetObject") > 8, "the first objects")
        aside = dest.with_name("aside")
        dest.rename(aside)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 5, out + err
    assert str(dest) in err
    assert not dest.exists()
    aside.rename(dest)
    server.faults.clear()
    assert machine.cp(dest).code == 0
    assert tree(dest) == expected(server)
    assert leftovers(dest) == []


def test_what_is_in_the_path_of_an_object_fails_only_that_object(server, machine, dest):
    (dest / "data/1/object-0001.bin").mkdir(parents=True)
    (dest / "data/2").mkdir(parents=True)
    os.mkfifo(dest / "data/2/object-0002.bin")
    (dest / "data/3").write_text("a file where a directory must be")
    (dest / "data/2/object-0009.bin").write_bytes(b"of another size")
    ran = machine.cp(dest)
    assert ran.code == 1, ran.text
    assert ran.summary["replaced"] == 1, "neither the directory nor the FIFO"
    below = sum(path.startswith("data/3/") for path in expected(server))
    assert ran.failed == {"path-in-the-way": 2 + below}
    assert ran.summary["done"]["objects"] == len(expected(server)) - 2 - below
    assert ran.summary["balanced"]


def test_an_empty_destination_is_refused_and_is_not_the_current_directory(server, machine):
    ran = copy(machine, "")
    assert ran.code == 2, ran.text
    assert "DEST is empty" in ran.err
    assert not server.calls


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["status"], 5),
        (["verify"], 5),
        (["manifest"], 5),
        (["report"], 5),
        (["restore"], 5),
        (["cp", f"{SOURCE}/data/0/object-0007.bin"], 0),  # names that are too long are encoded
        (["cp", SOURCE, "--dryrun", ".", "--save-plan"], 5),
        (["cp", SOURCE, "data", "--inventory"], 6),
    ],
    ids=lambda words: "-".join(words[:1] + words[-1:]) if isinstance(words, list) else None,
)
def test_a_path_that_the_system_refuses_is_no_bug(machine, tmp_path, words, code):
    dest = str(tmp_path / ("n" * 300))
    profile = ("--profile", "export") if words[0] == "cp" else ()
    assert machine.run(*words, dest, *profile).code == code


def test_a_mistyped_profile_writes_nothing(machine, dest):
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "exprot")
    assert (ran.code, "'exprot' does not exist" in ran.err) == (4, True)
    assert not dest.exists()
