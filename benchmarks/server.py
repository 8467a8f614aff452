"""The neutral server: Debian's nginx replays buckets from memory on 127.0.0.1, over TLS and plain.

Started in the foreground and stopped by its pid; its CPU time is read from /proc, to show beside each
client's that the server was not the limit. Knows nothing of the clients.

It is paced without touching the machine's network: the wait before the first byte is nginx's (echo module),
the cap of a connection the kernel's (SO_MAX_PACING_RATE, socket(7)). nginx's own limit_rate would not do: it
counts by request and lets the first second's bytes go at once, so ranges of 16 MiB would not be capped at all.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import Self

import trustme

import canned
from corpus import Stored, make
from scenarios import Scenario

HOST = "127.0.0.1"
LONGEST_START = 30.0
LONGEST_STOP = 10.0
CLEAR_LINE = "nginx is missing: apt-get install nginx-light libnginx-mod-http-echo"
PACKAGES = ("nginx", "libnginx-mod-http-echo")
UNPACKED = Path(__file__).resolve().parents[1] / ".venvs" / "nginx"
ECHO = "usr/lib/nginx/modules/ngx_http_echo_module.so"
SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; the socket module does not name it
BACKLOG = 1024


@dataclass(frozen=True, slots=True)
class Nginx:
    """The program and its module that waits; both of one build."""

    program: str
    echo: Path


def memory_directory() -> Path:
    """Where neither data nor copies touch a disk."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else Path(tempfile.gettempdir())


def find_nginx(unpacked: Path = UNPACKED) -> Nginx:
    """nginx and its echo module from the system, or those of Debian's packages unpacked below .venvs.

    Unpacked, not installed: the package would start a server on every address of the machine. Exits
    with one line where neither can be had.
    """
    found = _nginx_at(unpacked, Path("/"))
    if found is None and shutil.which("apt-get"):
        unpacked.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            _quietly("apt-get", "update")
        if _quietly("apt-get", "download", *PACKAGES, cwd=unpacked):
            for package in unpacked.glob("*.deb"):
                _quietly("dpkg", "-x", str(package), str(unpacked))
        found = _nginx_at(unpacked)
    if found is None or not _quietly(found.program, "-v"):
        raise SystemExit(CLEAR_LINE)
    return found


def _nginx_at(*roots: Path) -> Nginx | None:
    for root in roots:
        program = shutil.which("nginx", path=f"{root}/usr/sbin:{root}/usr/local/sbin:{root}/usr/bin")
        if program and (root / ECHO).is_file():
            return Nginx(program, root / ECHO)
    return None


def _quietly(*command: str, cwd: Path | None = None) -> bool:
    done = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=300
    )
    return done.returncode == 0


class Server:
    """A context manager: makes the data in memory, serves it, removes it.

    All `scenarios` are paced as the first of them is.
    """

    def __init__(self, *scenarios: Scenario, workers: int) -> None:
        self.workers = workers
        self.objects: dict[str, dict[str, Stored]] = {}
        self._scenarios = scenarios
        self._nginx = find_nginx()
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
        said = subprocess.run([self._nginx.program, "-v"], capture_output=True, text=True, check=True)
        return said.stderr.strip().removeprefix("nginx version: ")

    def endpoint(self, scheme: str) -> str:
        return f"{scheme}://{HOST}:{self._ports[scheme]}"

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
        """nginx takes over sockets that listen already: NGINX names them, as when it replaces itself."""
        pace = self._scenarios[0]
        with ExitStack() as stack:
            listening = {scheme: stack.enter_context(_listening(pace.cap)) for scheme in ("http", "https")}
            self._ports = {scheme: one.getsockname()[1] for scheme, one in listening.items()}
            config = self.root / "nginx.conf"
            config.write_text(
                canned.configuration(
                    self.root,
                    tls_port=self._ports["https"],
                    plain_port=self._ports["http"],
                    workers=self.workers,
                    user="root" if os.geteuid() == 0 else None,
                    first_byte=pace.first_byte,
                    echo=self._nginx.echo if pace.first_byte else None,
                )
            )
            handles = [one.fileno() for one in listening.values()]
            log = stack.enter_context((self.root / "nginx.log").open("wb"))
            return subprocess.Popen(
                [self._nginx.program, "-e", "stderr", "-p", str(self.root), "-c", str(config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=handles,
                env={"NGINX": "".join(f"{handle};" for handle in handles)},
            )

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(LONGEST_STOP)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _wait_until_ready(self) -> None:
        """Until it answers: connections are accepted before, by the sockets that it is to take over."""
        answer = HTTPConnection(HOST, self._ports["http"], timeout=LONGEST_START)
        try:
            answer.request("GET", f"/{self._scenarios[0].bucket}?location")
            answer.getresponse().read()
        except OSError as error:
            said = (self.root / "nginx.log").read_text(errors="replace")
            raise RuntimeError(f"nginx did not start:\n{said}") from error
        finally:
            answer.close()


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


def _listening(cap: int | None) -> socket.socket:
    """On a free port of loopback; the connections it takes inherit the cap (bytes per second of each)."""
    one = socket.socket()
    if cap is not None:
        one.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, cap)
    one.bind((HOST, 0))
    one.listen(BACKLOG)
    return one
