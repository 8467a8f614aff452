"""No secret leaves the process: not in its outputs, its journal, its arguments, whatever goes wrong."""

from pathlib import Path

import pytest

from e2e.harness import SOURCE, wait_until
from s3haul.demo import seed

LOUD = {"PYTHONASYNCIODEBUG": "1", "PYTHONDEVMODE": "1", "BOTO_LOG_LEVEL": "DEBUG", "AWS_DEBUG": "1"}


def secrets_of(server) -> dict[str, bytes]:
    """Everything that must stay inside: of the user, and of every session that was started."""
    found = {"secret key": seed.USER_B_SECRET, "External ID": seed.EXTERNAL_ID}
    for number, session in enumerate(server.cloud.sessions.values()):
        found[f"secret of session {number}"] = session.secret
        found[f"token of session {number}"] = session.token[:40]
    return {name: text.encode() for name, text in found.items()}


def assert_clean(server, text: bytes, where: str) -> None:
    for name, secret in secrets_of(server).items():
        assert secret not in text, f"{name} in {where}"


def test_a_run_with_many_errors_shows_no_secret(server, machine, dest):
    server.faults.add("expire-sessions", operation="GetObject", exactly=5)
    server.faults.add("error", operation="GetObject", exactly=8)
    server.faults.add("flip", operation="GetObject", key="data/3/object-0003.bin")
    server.faults.add("delay", operation="GetObject", seconds=0.1)
    arguments = ("cp", SOURCE, str(dest), "--profile", "export", "--log-format", "json", "--concurrency", "8")
    with machine.start(*arguments, S3HAUL_EXTERNAL_ID=seed.EXTERNAL_ID, **LOUD) as process:
        wait_until(lambda: server.count("GetObject") > 10, "the first objects")
        commands = [path.read_bytes() for path in children(process.pid)]
        during = {path: path.read_bytes() for path in (dest / ".s3haul").iterdir() if path.is_file()}
        out, err = process.communicate(timeout=60)
    assert process.returncode == 1, out + err
    assert len(server.cloud.sessions) > 1
    assert "never closed" not in err  # Python's development mode would tell of sockets and files
    assert "unclosed" not in err
    assert_clean(server, out.encode(), "stdout")
    assert_clean(server, err.encode(), "stderr")
    assert commands
    for line in commands:
        assert_clean(server, line, "the arguments")
    assert (dest / ".s3haul" / "journal.sqlite3") in during
    for path, body in during.items():
        assert_clean(server, body, path.name)
    for path in dest.rglob("*"):
        if path.is_file():
            assert_clean(server, path.read_bytes(), str(path))
    assert_clean(server, machine.run("manifest", str(dest)).text.encode(), "the manifest")


def children(pid: int) -> list[Path]:
    """The command lines of the process and its threads' children."""
    pids = {pid}
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        pids |= {int(word) for word in listed.read_text().split()}
    return [Path(f"/proc/{one}/cmdline") for one in pids]


@pytest.mark.parametrize("operation", ["AssumeRole", "ListObjectsV2"])
def test_a_run_that_is_refused_shows_no_secret_even_if_the_service_repeats_it(
    server, machine, dest, operation
):
    said = f"not authorized with the External ID {seed.EXTERNAL_ID}"
    message = said if operation == "AssumeRole" else "no"
    server.faults.add("error", operation=operation, status=403, code="AccessDenied", message=message)
    ran = machine.run("cp", SOURCE, str(dest), "--profile", "export", "--json", accidents=True, **LOUD)
    assert ran.code != 0
    assert_clean(server, ran.text.encode(), "the outputs")
