"""The neutral server: Debian's nginx replays buckets from memory on 127.0.0.1, over TLS and plain.

Started in the foreground and stopped by its pid; its CPU time is read from /proc, to show beside each
client's that the server was not the limit. Knows nothing of the clients.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

import trustme

import canned
from corpus import Stored, make
from scenarios import Scenario

HOST = "127.0.0.1"
LONGEST_START = 30.0
LONGEST_STOP = 10.0
POLL = 0.02
CLEAR_LINE = "nginx is missing: apt-get install nginx-light"
UNPACKED = Path(__file__).resolve().parents[1] / ".venvs" / "nginx"


def memory_directory() -> Path:
    """Where neither data nor copies touch a disk."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else Path(tempfile.gettempdir())


def find_nginx(unpacked: Path = UNPACKED) -> str:
    """nginx from the system, or the binary of Debian's package unpacked below .venvs.

    Unpacked, not installed: the package would start a server on every address of the machine. Exits
    with one line where neither can be had.
    """
    places = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:{unpacked}/usr/sbin"
    found = shutil.which("nginx", path=places)
    if found is None and shutil.which("apt-get"):
        unpacked.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _quietly("apt-get", "update")
        if _quietly("apt-get", "download", "nginx", cwd=unpacked):
            for package in unpacked.glob("nginx_*.deb"):
                _quietly("dpkg", "-x", str(package), str(unpacked))
        found = shutil.which("nginx", path=places)
    if found is None or not _quietly(found, "-v"):
        raise SystemExit(CLEAR_LINE)
    return found


def _quietly(*command: str, cwd: Path | None = None) -> bool:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300
    )
    return done.returncode == 0


class Server:
    """A context manager: makes the data in memory, serves it, removes it."""

    def __init__(self, scenarios: Iterable[Scenario], *, workers: int) -> None:
        self.workers = workers
        self.objects: dict[str, dict[str, Stored]] = {}
        self._scenarios = tuple(scenarios)
        self._binary = find_nginx()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            prefix, where = "s3haul-bench-server-", memory_directory()
            self.root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix=prefix, dir=where)))
            for scenario in self._scenarios:
                self.objects[scenario.name] = make(scenario, self.root / "data" / scenario.bucket)
            _write_answers(self.root, self._scenarios, self.objects)
            self.ca = _write_certificate(self.root)
            self._process = self._start()
            stack.callback(self._stop)
            self._wait_until_ready()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def version(self) -> str:
        said = subprocess.run([self._binary, "-v"], capture_output=True, text=True, check=True)
        return said.stderr.strip().removeprefix("nginx version: ")

    def endpoint(self, scheme: str) -> str:
        return f"{scheme}://{HOST}:{self._tls_port if scheme == 'https' else self._plain_port}"

    def cpu_seconds(self) -> float:
        """User and system time of all workers since the start (proc(5): fields 14 and 15 of stat)."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                fields = stat.read_text().rpartition(")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended meanwhile
            if int(fields[1]) == self._process.pid:
                ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _start(self) -> subprocess.Popen[bytes]:
        self._tls_port, self._plain_port = _free_ports(2)
        config = self.root / "nginx.conf"
        config.write_text(
            canned.configuration(
                self.root,
                tls_port=self._tls_port,
                plain_port=self._plain_port,
                workers=self.workers,
                user="root" if os.geteuid() == 0 else None,
            )
        )
        command = [self._binary, "-e", "stderr", "-p", str(self.root), "-c", str(config)]
        with (self.root / "nginx.log").open("wb") as log:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + LONGEST_START
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex((HOST, self._tls_port)) == 0:
                    return
            time.sleep(POLL)
        raise RuntimeError(f"nginx did not start:\n{(self.root / 'nginx.log').read_text(errors='replace')}")


def _write_answers(
    root: Path, scenarios: Iterable[Scenario], objects: Mapping[str, Mapping[str, Stored]]
) -> None:
    (root / "temporary").mkdir()
    with (root / "checksums.map").open("w") as checksums:
        for scenario in scenarios:
            mine = objects[scenario.name]
            checksums.write(canned.checksum_map(scenario.bucket, mine))
            lists = root / "lists" / scenario.bucket
            lists.mkdir(parents=True)
            (lists / "location.xml").write_text(canned.LOCATION)
            for token, page in canned.list_pages(scenario.bucket, mine):
                (lists / f"{token}.xml").write_text(page)


def _write_certificate(root: Path) -> Path:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(root / "ca.pem"))
    pem = authority.issue_cert(HOST, "localhost").private_key_and_cert_chain_pem
    pem.write_to_path(str(root / "server.pem"))
    return root / "ca.pem"


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((HOST, 0))
        return [one.getsockname()[1] for one in sockets]
