"""The whole command, with random settings and random answers:
it ends with one of its exit codes, never as a bug."""

import re
import socketserver
import threading
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from types import SimpleNamespace
from unittest.mock import patch

import botocore.endpoint
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contract.demo_access import only_this_aws
from fuzzing import EXAMPLES
from properties.test_random_answers import PAGE, SESSION, answers, plain
from properties.test_random_settings import ROLE, SECRET, files, junk
from s3haul.aws.sdk_settings import SDK_SETTINGS
from s3haul.cli.app import run

SOUND = b"[default]\nregion = eu-west-1\n"
ENDED = {0, 1, 2, 3, 4, 5, 6}
KEYS = {"AWS_ACCESS_KEY_ID": "AK", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_MAX_ATTEMPTS": "1"}

words = st.sampled_from(sorted({word for known in SDK_SETTINGS for word in known.words} | {"7", "0"}))
variables = st.dictionaries(
    st.sampled_from(
        [
            known.variable
            for known in SDK_SETTINGS
            if known.checked and known.variable not in {"", "AWS_MAX_ATTEMPTS"}
        ]
    ),
    words | junk,
    max_size=2,
)
FLAGS = {
    "--profile": st.sampled_from(["p", "default", "gone"]),
    "--region": st.sampled_from(["eu-west-1", "cn-north-1", "Frankfurt"]),
    "--role-arn": st.just(ROLE) | junk,
    "--external-id": st.sampled_from([SECRET, "x"]),
    "--transport": st.sampled_from(["auto", "curl", "sdk"]),
    "--existing": st.sampled_from(["verify", "skip", "never"]),
    "--sse": st.sampled_from(["aws:kms", "AES256"]),
    "--page-size": st.sampled_from(["1", "1000", "0"]),
    "--include": st.just("*") | junk,
    "--exclude": st.just("*.tmp") | junk,
    "--request-payer": st.just("requester"),
    "--log-format": st.sampled_from(["text", "json"]),
}
flags = st.lists(
    st.sampled_from(sorted(FLAGS)).flatmap(lambda name: st.tuples(st.just(name), FLAGS[name])), max_size=3
)
switches = st.lists(
    st.sampled_from(["--json", "--dryrun", "--require-checksum", "--quiet", "--fail-if-empty", "-v"]),
    max_size=2,
)
sources = st.sampled_from(
    [("b", "data"), ("b/k", "data/"), ("b/k", "-"), ("b/p/", "data"), ("b--ol-s3", "data")]
)


def seldom(odd, usual):
    """Most runs are to get as far as the server."""
    return st.integers(0, 4).flatmap(lambda number: st.just(usual) if number else odd)


def honest(head: bytes) -> bytes:
    """What S3 and STS would answer."""
    body = PAGE if b"list-type" in head else SESSION if head.startswith(b"POST") else b"data"
    sent = b'HTTP/1.1 200 OK\r\nETag: "e"\r\nConnection: close\r\nContent-Length: %d\r\n\r\n' % len(body)
    return sent + body


class Server(socketserver.ThreadingTCPServer):
    """Gives the next of `left` for each connection; the last one again and again."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.left: list[bytes | None] = []  # None: what is honest
        self.given = 0
        self.lock = threading.Lock()

    def next(self, head: bytes) -> bytes:
        with self.lock:
            self.given += 1
            one = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return honest(head) if one is None else one

    def handle_error(self, *_: object) -> None:
        pass


class Handler(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        head, length = self.rfile.readline(), 0
        while (line := self.rfile.readline().lower().strip()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.rfile.read(length)
        answered = self.server.next(head)
        self.wfile.write(
            answered[: answered.index(b"\r\n\r\n") + 4] if head.startswith(b"HEAD") else answered
        )


@contextmanager
def serving():
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def said_by(argv: list[str]) -> tuple[int, str]:
    """The exit code, and what went to both streams; these are files, since bytes go to a descriptor."""
    with TemporaryFile("w+", errors="replace") as out, TemporaryFile("w+", errors="replace") as err:
        with redirect_stdout(out), redirect_stderr(err):
            code = run(argv)
        for stream in (out, err):
            stream.seek(0)
        return code, out.read() + err.read()


def test_any_run_ends_with_one_of_its_exit_codes():
    with serving() as server, patch.object(botocore.endpoint, "time", SimpleNamespace(sleep=lambda _: None)):
        one_run(server)
        print(f"{EXAMPLES // 10} runs, {server.given} answers")


def one_run(server: Server) -> None:
    url = f"http://127.0.0.1:{server.server_address[1]}"

    @settings(
        max_examples=EXAMPLES // 10,  # each of them is a run with all its threads and files
        derandomize=EXAMPLES <= 1000,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(
        command=st.sampled_from(["cp", "cp", "check"]),
        source=sources,
        config=seldom(files, SOUND),
        variables=seldom(variables, {}),
        flags=seldom(flags, []),
        switches=switches,
        given_answers=st.lists(st.none() | st.none() | plain | answers(), min_size=1, max_size=12),
    )
    def ends(command, source, config, variables, flags, switches, given_answers):
        server.left = list(given_answers)
        with TemporaryDirectory() as folder:
            Path(folder, "config").write_bytes(config)
            bucket, dest = source
            argv = [command, f"s3://{bucket}", dest if dest == "-" else f"{folder}/{dest}"]
            argv += ["--endpoint-url", url, "--sts-endpoint-url", url]
            if command == "cp":
                argv += ["--credential-timeout", "0", *switches, *(word for flag in flags for word in flag)]
            named = {"AWS_CONFIG_FILE": f"{folder}/config", "AWS_SHARED_CREDENTIALS_FILE": f"{folder}/none"}
            with only_this_aws(**variables | KEYS | named):
                code, said = said_by(argv)
        assert code in ENDED, said
        assert "Traceback" not in said
        assert not re.search(rf"\b{SECRET}\b", said.replace(" ".join(argv), ""))

    ends()
