"""The server of the benchmarks: Debian's nginx replays buckets from memory on 127.0.0.1,
over TLS and plain http.

Responses have the form of S3's (API reference: ListObjectsV2, GetObject with x-amz-checksum-mode ENABLED) for
objects under SSE-KMS whose CRC64NVME is stored as FULL_OBJECT. Signatures are not checked: they cost the
client what they always cost, and the server nothing.

Started in the foreground and stopped by its pid; its CPU time is read from /proc, to show beside each
client's that the server was not the limit.

It is paced without touching the machine's network: the wait before the first byte is nginx's (echo module),
the cap of a connection the kernel's (SO_MAX_PACING_RATE, socket(7)). nginx's own limit_rate counts
by request and sends the bytes of the first second at once, so ranges of 16 MiB would not be capped.
"""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Self
from xml.sax.saxutils import escape

import trustme

from scenarios import Scenario, Stored, make

HOST = "127.0.0.1"
LONGEST_START = 30.0
LONGEST_STOP = 10.0
CLEAR_LINE = "nginx is missing: apt-get install nginx-light libnginx-mod-http-echo"
PACKAGES = ("nginx", "libnginx-mod-http-echo")
UNPACKED = Path(__file__).resolve().parents[1] / ".venvs" / "nginx"
ECHO = "usr/lib/nginx/modules/ngx_http_echo_module.so"
SO_MAX_PACING_RATE = 47  # asm-generic/socket.h; the socket module does not name it
BACKLOG = 1024
PAGE = 1000
QUOTED = {'"': "&quot;"}
FIRST_PAGE = "first"
REGION = "us-east-1"
CIPHER = "TLS_AES_128_GCM_SHA256"
KMS_KEY = f"arn:aws:kms:{REGION}:111111111111:key/11111111-2222-3333-4444-555555555555"
LOCATION = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"></LocationConstraint>'
)

_COMMON_HEADERS = f"""add_header x-amz-request-id 0A1B2C3D4E5F6789;
      add_header x-amz-id-2 {"A" * 75}=;"""
_LISTS = f"""lists;
      default_type application/xml;
      {_COMMON_HEADERS}
      add_header x-amz-bucket-region {REGION};
      try_files /$bucket/$page.xml =404;"""
_OBJECTS = f"""data;
      {_COMMON_HEADERS}
      add_header x-amz-server-side-encryption aws:kms;
      add_header x-amz-server-side-encryption-aws-kms-key-id {KMS_KEY};
      add_header x-amz-server-side-encryption-bucket-key-enabled true;
      add_header x-amz-checksum-type $checksum_type;
      add_header x-amz-checksum-crc64nvme $checksum;"""


def list_pages(bucket: str, objects: Mapping[str, Stored], page: int = PAGE) -> Iterator[tuple[str, str]]:
    """Token and XML of each page, in order; the first has the token `FIRST_PAGE`, which no client sends."""
    keys = sorted(objects, key=str.encode)
    starts = range(0, len(keys), page) or range(1)
    for number, start in enumerate(starts):
        token = f"p{number}" if number else FIRST_PAGE
        following = f"p{number + 1}" if start + page < len(keys) else None
        here = keys[start : start + page]
        entries = "".join(_entry(key, objects[key]) for key in here)
        yield token, _page(bucket, entries, len(here), following)


def _page(bucket: str, entries: str, count: int, following: str | None) -> str:
    more = f"<NextContinuationToken>{following}</NextContinuationToken>" if following else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Name>{escape(bucket)}</Name><Prefix></Prefix><KeyCount>{count}</KeyCount><MaxKeys>{PAGE}</MaxKeys>"
        f"<IsTruncated>{'true' if following else 'false'}</IsTruncated>{more}{entries}</ListBucketResult>"
    )


def _entry(key: str, stored: Stored) -> str:
    modified = datetime.fromtimestamp(stored.modified, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return (
        f"<Contents><Key>{escape(key)}</Key><LastModified>{modified}</LastModified>"
        f"<ETag>{escape(stored.etag, QUOTED)}</ETag>"
        "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
        f"<Size>{stored.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
    )


def checksum_map(bucket: str, objects: Mapping[str, Stored]) -> str:
    """Lines of an nginx map from the path of an object to its checksum."""
    return "".join(f'"/{bucket}/{key}" "{stored.crc}";\n' for key, stored in objects.items())


def configuration(
    root: Path,
    *,
    tls_port: int,
    plain_port: int,
    workers: int,
    user: str | None,
    first_byte: float = 0.0,
    echo: Path | None = None,
) -> str:
    """nginx.conf. Below `root` it expects data/, lists/, temporary/, checksums.map, server.pem.

    The checksum goes out as S3 sends it: when asked for, and not with a range. One cipher for every
    client, else each picks its own and the comparison is one of ciphers. `echo` is the module that waits
    `first_byte` seconds before an answer.
    """
    module = f"load_module {echo};\n" if echo else ""
    as_user = f"user {user};\n" if user else ""
    lists, objects = (f"{{\n      root {root}/{kind}\n    }}" for kind in (_LISTS, _OBJECTS))
    named = ""
    if first_byte:
        named = f"location @lists {lists}\n    location @objects {objects}"
        lists, objects = (
            f"{{ echo_sleep {first_byte:.3f}; echo_exec {name}; }}" for name in ("@lists", "@objects")
        )
    return f"""{module}{as_user}daemon off;
worker_processes {workers};
pid {root}/nginx.pid;
error_log stderr error;
events {{ worker_connections 4096; }}
http {{
  access_log off;
  sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_timeout 75s; keepalive_requests 1000000;
  client_body_temp_path {root}/temporary; proxy_temp_path {root}/temporary;
  fastcgi_temp_path {root}/temporary; uwsgi_temp_path {root}/temporary; scgi_temp_path {root}/temporary;
  types {{ }}
  default_type binary/octet-stream;
  map_hash_max_size 262144; map_hash_bucket_size 256;
  map $args $page {{
    default {FIRST_PAGE};
    "~(?:^|&)location" location;
    "~(?:^|&)continuation-token=(?<token>[^&]*)" $token;
  }}
  map $uri $stored {{ default ""; include {root}/checksums.map; }}
  map "$http_x_amz_checksum_mode:$http_range" $checksum {{ default ""; "ENABLED:" $stored; }}
  map $checksum $checksum_type {{ default FULL_OBJECT; "" ""; }}
  server {{
    listen 127.0.0.1:{plain_port};
    listen 127.0.0.1:{tls_port} ssl;
    ssl_certificate {root}/server.pem; ssl_certificate_key {root}/server.pem;
    ssl_protocols TLSv1.3; ssl_conf_command Ciphersuites {CIPHER};
    location ~ ^/(?<bucket>bench-[a-z-]+)/?$ {lists}
    location / {objects}
    {named}
  }}
}}
"""


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
                configuration(
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
            checksums.write(checksum_map(scenario.bucket, mine))
            lists = root / "lists" / scenario.bucket
            lists.mkdir(parents=True)
            (lists / "location.xml").write_text(LOCATION)
            for token, page in list_pages(scenario.bucket, mine):
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
