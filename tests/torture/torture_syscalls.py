"""A run is killed at the first system call of a kind, at the second, and so on, until it ends before it is.

strace counts the calls of each thread, from the moment at which everything is loaded.
`S3HAUL_SYSCALLS` names the kinds.
"""

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from torture.checks import ENVIRONMENT, command, finish, rows, whole

COUNT = 12  # objects
KINDS = (
    *("openat", "mkdirat", "renameat", "unlinkat", "write", "writev", "pwrite64", "ftruncate", "fallocate"),
    *("fsync", "fdatasync", "syncfs", "utimensat", "fchmod", "flock", "close"),
)
CHOSEN = os.environ.get("S3HAUL_SYSCALLS", " ".join(KINDS)).split()
EVERY = int(os.environ.get("S3HAUL_SYSCALL_STEP", "1"))


@pytest.fixture(scope="session", autouse=True)
def strace():
    found = shutil.which("strace")
    if found is None:
        pytest.fail("strace is needed: apt-get install strace")
    return found


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", CHOSEN)
def test_p4_a_kill_at_any_system_call_loses_nothing(kind, strace, tmp_path, record_property):
    number = 1
    while killed(strace, kind, number, root := tmp_path / str(number)):
        whole(root, COUNT)
        rows(root, COUNT)
        finish(root, COUNT)
        shutil.rmtree(root)
        number += EVERY
    record_property("kills", (number - 1) // EVERY)
    print(f"{kind}: {(number - 1) // EVERY} kills")


def killed(strace: str, kind: str, number: int, root: Path) -> bool:
    """Whether the run was killed at this call, or ended before it came to it."""
    with subprocess.Popen(command(root, COUNT, "stop"), env=ENVIRONMENT, start_new_session=True) as run:
        wait_for(lambda: state_of(run.pid) in "Tt", "the run to have loaded everything")
        inject = f"inject={kind}:signal=KILL:when={number}"
        tracing = [
            strace,
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            f"trace={kind}",
            "-e",
            inject,
            "-p",
            str(run.pid),
        ]
        with subprocess.Popen(tracing) as tracer:
            wait_for(lambda: traced(run.pid) or tracer.poll() is not None, "strace to take hold of it")
            assert tracer.poll() is None, (
                "strace cannot trace: run as root, or set kernel.yama.ptrace_scope to 0"
            )
            os.kill(run.pid, signal.SIGCONT)
            code = run.wait(120)
    assert code in {0, -signal.SIGKILL}, code
    return code != 0


def state_of(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def traced(pid: int) -> bool:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return any(line.startswith("TracerPid:") and line.split()[1] != "0" for line in lines)


def wait_for(ready, what: str) -> None:
    deadline = time.monotonic() + 60
    while not ready():
        assert time.monotonic() < deadline, f"timed out waiting for {what}"
        time.sleep(0.005)
