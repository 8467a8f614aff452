"""The product as a user meets it: the real command in a process of its own, against the embedded cloud.

The cloud runs in the test's process, so that a test can change it, disturb it and read what it was asked.
Nothing of the tester's own AWS configuration reaches the command.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from s3haul.core.keypath import safe_path
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.content import Generated, seed_of
from s3haul.demo.model import Bucket, ObjectVersion
from s3haul.demo.server import DemoServer

TRANSPORT = os.environ.get("S3HAUL_E2E_TRANSPORT", "")  # every run by this one; else as the product chooses
LONGEST_RUN = 60.0
LONGEST_WAIT = 30.0
POLL = 0.01
SOURCE = f"s3://{seed.BUCKET}"
RECIPE = ("cp", "--sse", "aws:kms", "--profile", "export", SOURCE, "./", "--recursive")
ACCIDENTS = ("Traceback", "This is a bug", "never awaited", "never retrieved", "Exception ignored")

CONFIG = """\
[profile user-b]
region = {region}

[profile export]
role_arn = {role_arn}
source_profile = user-b
external_id = {external_id}
role_session_name = e2e
region = {region}
endpoint_url = {endpoint_url}
ca_bundle = {ca_bundle}
{signature}
"""
CREDENTIALS = """\
[user-b]
aws_access_key_id = {access_key}
aws_secret_access_key = {secret_key}
"""
NESTED_SIGNATURE = "s3 =\n    signature_version = s3v4"


@dataclass(frozen=True)
class Ran:
    """How one command ended."""

    code: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err

    @property
    def summary(self) -> dict[str, Any]:
        """The one JSON object of `--json`."""
        return json.loads(self.out)

    @property
    def failed(self) -> dict[str, int]:
        """How many objects failed, by reason."""
        return {cause["reason"]: cause["objects"] for cause in self.summary["failed"]}


class Machine:
    """The computer of the user in account B: a home with the recipe's profile,
    and a shell to run commands."""

    def __init__(self, server: DemoServer, home: Path) -> None:
        self.server = server
        self.home = home
        self.values = {
            "region": seed.REGION,
            "role_arn": seed.ROLE_ARN,
            "external_id": seed.EXTERNAL_ID,
            "endpoint_url": server.endpoint_url,
            "ca_bundle": server.ca_path or "",
            "signature": NESTED_SIGNATURE,
            "access_key": seed.USER_B_KEY_ID,
            "secret_key": seed.USER_B_SECRET,
        }
        self.configure()

    def configure(self, *, without: str = "", **changes: str) -> None:
        """Write the profile anew with other values, or without one of its keys."""
        self.values |= changes
        lines = CONFIG.format(**self.values).splitlines(keepends=True)
        kept = [line for line in lines if not (without and line.startswith(without))]
        (self.home / "config").write_text("".join(kept))
        (self.home / "credentials").write_text(CREDENTIALS.format(**self.values))

    @property
    def environment(self) -> dict[str, str]:
        """Nothing ambient but PATH; no metadata service to wait for."""
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            "AWS_CONFIG_FILE": str(self.home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self.home / "credentials"),
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @contextlib.contextmanager
    def start(
        self,
        *arguments: str,
        cwd: Path | None = None,
        wrapper: Sequence[str] = (),
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        **environment: str,
    ) -> Iterator["subprocess.Popen[str]"]:
        """The command as a running process group, which is gone when the block ends."""
        transport = ["--transport", TRANSPORT] if TRANSPORT and arguments[0] == "cp" else []
        process = subprocess.Popen(
            [*wrapper, sys.executable, "-m", "s3haul", *arguments, *transport],
            cwd=cwd or self.home,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            encoding="utf-8",
            errors="surrogateescape",
            start_new_session=True,
        )
        with process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)

    def run(self, *arguments: str, accidents: bool = False, **options: Any) -> Ran:
        """Run the command to its end. Fails the test for a traceback and the like, unless `accidents`."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=LONGEST_RUN)
        ran = Ran(process.returncode, out or "", err or "")
        assert accidents or not any(word in ran.text for word in ACCIDENTS), ran.text
        return ran

    def cp(self, dest: Path, *arguments: str, **options: Any) -> Ran:
        """`s3haul cp` of the whole bucket to `dest` with the recipe's profile and a JSON summary."""
        return self.run("cp", SOURCE, str(dest), "--profile", "export", "--json", *arguments, **options)


def wait_until(ready: Callable[[], Any], what: str) -> None:
    """Return once `ready` is true; fail the test when it never is."""
    deadline = time.monotonic() + LONGEST_WAIT
    while not ready():
        assert time.monotonic() < deadline, f"timed out waiting for: {what}"
        time.sleep(POLL)


def small_cloud(count: int = 60) -> Cloud:
    """The standard cloud with `count` objects of a few kilobytes, some days old."""
    cloud = seed.standard_cloud()
    now = cloud.clock()
    for number in range(count):
        key = f"data/{number % 7}/object-{number:04}.bin"
        modified = now - 86_400.0 * (1 + number)
        cloud.put(seed.BUCKET, key, Generated(seed_of(key), 500 + 97 * number), last_modified=modified)
    return cloud


def bucket(server: DemoServer) -> Bucket:
    return server.cloud.buckets[seed.BUCKET]


def content(stored: ObjectVersion) -> bytes:
    return stored.content.read(0, stored.size)


def paths(server: DemoServer, base: str = "") -> dict[str, str]:
    """Key to path of every object, by the name map. A key is shadowed if another lies below it."""
    keys = [key for key in bucket(server).sorted_keys() if key.startswith(base)]
    directories = {key[: match.start()] for key in keys for match in re.finditer("/", key)}
    found = {}
    for key in keys:
        shadowed = key in directories
        marker = key.endswith("/") and not bucket(server).objects[key][-1].size
        found[key] = str(safe_path(key, base=base, shadowed=shadowed and not marker, directory=marker))
    return found


def expected(server: DemoServer, base: str = "") -> dict[str, bytes]:
    """The tree that a whole copy must be: path to content, without directory markers."""
    objects = bucket(server).objects
    return {
        path: content(objects[key][-1])
        for key, path in paths(server, base).items()
        if not (key.endswith("/") and not objects[key][-1].size)
    }


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, s3haul's own state apart. A link or device there is the text of a bug."""
    found = {}
    for directory, names, files in os.walk(root):
        if Path(directory) == root and ".s3haul" in names:
            names.remove(".s3haul")
        for name in files:
            path = Path(directory, name)
            regular = path.is_file() and not path.is_symlink()
            found[str(path.relative_to(root))] = path.read_bytes() if regular else b"not a regular file"
    return found


def leftovers(root: Path) -> list[str]:
    return [path.name for path in (root / ".s3haul" / "tmp").iterdir()]


def manifest(machine: Machine, root: Path) -> dict[str, dict[str, Any]]:
    """The lines of `s3haul manifest`, by key."""
    ran = machine.run("manifest", str(root))
    assert ran.code == 0, ran.err
    lines = [json.loads(line) for line in ran.out.splitlines()]
    found = {line["key"]: line for line in lines}
    assert len(found) == len(lines)
    return found
