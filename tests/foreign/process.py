"""One server process on loopback: started, waited for, looked at, stopped by its pid.

Knows nothing of S3. What it listens on is read from Linux's /proc; the rest runs on any POSIX system.
"""

import http.client
import ipaddress
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self, TypeVar

LONGEST_START = 60.0
LONGEST_STOP = 2.0  # all that they hold is thrown away in any case
POLL = 0.02
LISTENING = "0A"  # TCP_LISTEN in Linux's include/net/tcp_states.h

T = TypeVar("T")


class ServerDiedError(RuntimeError):
    """The server ended before it was ready."""


class ServerProcess:
    """A context manager around one process. Its output goes to `server.log` in `directory`."""

    def __init__(self, command: Sequence[str], *, environment: Mapping[str, str], directory: Path) -> None:
        self._log = directory / "server.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                cwd=directory,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    @property
    def pid(self) -> int:
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until(self, ready: Callable[[], T | None]) -> T:
        """What `ready` gives, once it gives something. Raises with the server's log if it never does."""
        deadline = time.monotonic() + LONGEST_START
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise ServerDiedError(f"the server ended with {self._process.returncode}:\n{self.log()}")
            if answer := ready():
                return answer
            time.sleep(POLL)
        raise TimeoutError(f"the server was not ready after {LONGEST_START:.0f} s:\n{self.log()}")


def request(port: int, ca: Path, path: str, method: str = "GET", body: bytes | None = None) -> int:
    """The status of one HTTPS request to 127.0.0.1, by no proxy; 0 when nobody answers."""
    context = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, path, body, {} if body is None else {"Content-Type": "text/plain"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def free_ports(count: int) -> list[int]:
    """Different ports of 127.0.0.1 that were free a moment ago; somebody else may still take one."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def listening(pid: int) -> set[tuple[str, int]]:
    """Address and port of every TCP socket that the process `pid` or one of its descendants listens on."""
    inodes = {inode for process in _tree(pid) for inode in _socket_inodes(process)}
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTENING and fields[9] in inodes:
                address, port = fields[1].split(":")
                found.add((_address(address), int(port, 16)))
    return found


def _tree(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it ended meanwhile
    tree = {pid}
    while more := {child for child, parent in parents.items() if parent in tree} - tree:
        tree |= more
    return tree


def _socket_inodes(pid: int) -> set[str]:
    inodes = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
        except FileNotFoundError:
            continue  # closed meanwhile
        if target.startswith("socket:["):
            inodes.add(target.removeprefix("socket:[").removesuffix("]"))
    return inodes


def _address(text: str) -> str:
    """Linux prints the address as 32-bit words in the byte order of the machine."""
    words = [int(text[at : at + 8], 16) for at in range(0, len(text), 8)]
    raw = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    return str(ipaddress.ip_address(raw))
