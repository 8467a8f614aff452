"""What `s3haul verify` says of damage: the command that it prints heals these files, at their place,
and fetches no other."""

import json
import subprocess
import sys

import pytest

from e2e.harness import SOURCE, bucket, content
from s3haul.core.keypath import safe_path

ODD = ["-rf", "a b/$(c)'\"*.bin", "new\nline\\", "esc\x1b[31mape", "~s3haul~=x"]


def shell(machine, command):
    """Give a line to a shell that knows s3haul and the profile of the run."""
    script = f'set -o pipefail; s3haul() {{ {sys.executable} -m s3haul "$@"; }}; {command}'
    return subprocess.run(
        ["bash", "-c", script],
        cwd=machine.home,
        env=machine.environment | {"S3HAUL_PROFILE": "export"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def damage(*files):
    """Other bytes of the same size, so that only a checksum tells."""
    for file in files:
        data = file.read_bytes()
        file.write_bytes(bytes(byte ^ 255 for byte in data))


def said(machine, dest):
    """The command for people, which is also the one for programs."""
    ran = machine.run("verify", str(dest))
    assert ran.code == 1, ran.text
    (command,) = [line.strip() for line in ran.out.splitlines() if line.startswith("  s3haul ")]
    assert json.loads(machine.run("verify", str(dest), "--json").out)["repair"] == command
    return command


def heal(server, machine, dest, *keys):
    """Run the printed command; it must request the objects with these keys, once each, and no others."""
    command, before = said(machine, dest), len(server.calls)
    ran = shell(machine, command)
    assert ran.returncode == 0, ran.stderr
    fetched = [call.key for call in server.calls[before:] if call.operation == "GetObject"]
    assert sorted(fetched) == sorted(keys)
    ran = machine.run("verify", str(dest), "--json")
    assert (ran.code, json.loads(ran.out)["repair"]) == (0, None)


def test_after_a_run_with_filters_only_the_damaged_files_are_fetched(server, machine, dest):
    assert machine.cp(dest, "--exclude", "*", "--include", "data/1/*").code == 0
    keys = ["data/1/object-0001.bin", "data/1/object-0008.bin"]
    damage(dest / keys[0])
    (dest / keys[1]).unlink()
    server.cloud.put(bucket(server).name, "data/1/added later", b"not asked for")
    heal(server, machine, dest, *keys)
    assert (dest / keys[0]).read_bytes() == content(bucket(server).current(keys[0]))


def test_a_prefix_keeps_its_paths(server, machine, dest):
    assert machine.run("cp", f"{SOURCE}/data/2/", str(dest), "--profile", "export").code == 0
    damage(dest / "object-0002.bin")
    heal(server, machine, dest, "data/2/object-0002.bin")


def test_a_single_object_keeps_the_name_that_it_was_given(server, machine, dest):
    key = "data/2/object-0002.bin"
    dest.mkdir()
    assert machine.run("cp", f"{SOURCE}/{key}", str(dest / "a b.log"), "--profile", "export").code == 0
    damage(dest / "a b.log")
    heal(server, machine, dest, key)
    assert (dest / "a b.log").read_bytes() == content(bucket(server).current(key))
    assert [path.name for path in dest.iterdir() if path.name != ".s3haul"] == ["a b.log"]


@pytest.mark.parametrize("key", ODD)
def test_keys_and_destinations_with_any_characters_survive_the_shell(server, machine, tmp_path, key):
    server.cloud.put(bucket(server).name, f"odd/{key}", b"odd")
    dest = tmp_path / "a\\b\t'c"
    assert machine.run("cp", f"{SOURCE}/odd/", str(dest), "--profile", "export").code == 0
    damage(dest / str(safe_path(key)))
    heal(server, machine, dest, f"odd/{key}")
    single = tmp_path / "single"
    assert machine.run("cp", f"{SOURCE}/odd/{key}", str(single / "n"), "--profile", "export").code == 0
    damage(single / "n")
    heal(server, machine, single, f"odd/{key}")
