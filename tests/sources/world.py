"""The command on the embedded cloud, in this process: a start of Python for each command would
take most of the time."""

import io
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from s3haul.cli.app import run
from s3haul.demo import seed
from s3haul.demo.model import Bucket
from s3haul.demo.server import DemoServer

SOURCE = f"s3://{seed.BUCKET}"
VERSIONS = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Action": ["s3:GetObjectVersion", "s3:ListBucketVersions"],
            "Resource": [f"arn:aws:s3:::{seed.BUCKET}", f"arn:aws:s3:::{seed.BUCKET}/*"],
        }
    ],
}


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
        return json.loads(self.out)


@dataclass
class World:
    """The cloud and a destination."""

    server: DemoServer
    dest: Path
    place: Path

    @property
    def bucket(self) -> Bucket:
        return self.server.cloud.buckets[seed.BUCKET]

    def put(self, key: str, body: bytes = b"body", **attributes: Any) -> Any:
        return self.server.cloud.put(seed.BUCKET, key, body, **attributes)

    def keep_versions(self) -> None:
        self.bucket.versioned = True
        self.server.cloud.roles[seed.ROLE_ARN].policies.append(VERSIONS)

    def file(self, lines: Sequence[str], name: str = "list") -> str:
        path = self.place / name
        path.write_text("".join(f"{line}\n" for line in lines))
        return str(path)

    def run(self, *argv: str, given: str = "") -> Ran:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in range(2))
        with redirect_stdout(out), redirect_stderr(err), standard_input(given):
            code = run(argv)
        texts = [stream.buffer.getvalue().decode() for stream in (out, err)]
        assert "Traceback" not in texts[1], texts[1]
        return Ran(code, *texts)

    def cp(self, *flags: str, dest: Path | None = None, source: str = SOURCE, given: str = "") -> Ran:
        words = ("cp", source, str(dest or self.dest), "--profile", "export", "--json")
        return self.run(*words, *flags, given=given)

    def bodies(self, keys: Sequence[str] | None = None) -> dict[str, bytes]:
        """What the bucket holds now, by key."""
        stored = (self.bucket.current(key) for key in keys or self.bucket.sorted_keys())
        return {each.key: each.content.read(0, each.size) for each in stored if each is not None}

    def manifest(self, *flags: str) -> dict[str, dict[str, Any]]:
        lines = self.run("manifest", str(self.dest), *flags).out.splitlines()
        return {line["key"]: line for line in map(json.loads, lines)}


@contextmanager
def standard_input(text: str) -> Iterator[None]:
    kept, sys.stdin = sys.stdin, SimpleNamespace(buffer=io.BytesIO(text.encode()))
    try:
        yield
    finally:
        sys.stdin = kept


def tree(root: Path) -> dict[str, bytes]:
    """Every file below `root`, s3haul's own state apart."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in root.rglob("*")
        if path.is_file() and ".s3haul" not in path.relative_to(root).parts
    }
