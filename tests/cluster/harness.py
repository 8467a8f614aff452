"""A run of many processes as a user meets it: the real commands,
against the embedded cloud of the test's process."""

import gzip
import json
import os
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from e2e.harness import SOURCE, Machine, Ran, expected, tree, wait_until
from s3haul.audit import verify
from s3haul.cluster.records import RunDescription
from s3haul.options import AccessOptions, SourceOptions, TransferOptions


@dataclass(frozen=True)
class Cluster:
    """The directories of one run, and the machine that works on it."""

    machine: Machine
    home: Path

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def dest(self) -> Path:
        return self.home / "dest"

    @property
    def local(self) -> Path:
        return self.home / "local"

    def plan(self, *arguments: str, **environment: str) -> Ran:
        """Shards of ten objects, unless the arguments say otherwise."""
        shards = () if "--shard-objects" in arguments else ("--shard-objects", "10")
        command = ("cluster", "plan", SOURCE, str(self.dest), "--run", str(self.run), "--profile", "export")
        return self.machine.run(*command, *shards, *arguments, **environment)

    def command(self, name: str, *arguments: str) -> tuple[str, ...]:
        return ("cluster", name, str(self.run), *arguments)

    def do(self, name: str, *arguments: str, **environment: Any) -> Ran:
        return self.machine.run(*self.command(name, *arguments), **environment)

    def drive(self, *arguments: str, **environment: Any) -> Ran:
        """Two workers, until everything is done and merged."""
        return self.do("run", *self.workers, "--json", *arguments, **environment)

    @property
    def workers(self) -> tuple[str, ...]:
        return ("--workers", "2", "--local", str(self.local))

    def reports(self) -> list[dict[str, Any]]:
        """What the attempts said last."""
        live = self.run / "live"
        return [json.loads(path.read_bytes()) for path in live.iterdir() if not path.name.startswith(".")]

    def done(self) -> set[str]:
        return {path.name for path in (self.run / "done").iterdir() if not path.name.startswith(".")}

    def alive(self) -> list[dict[str, Any]]:
        """The reports of attempts whose process lives."""
        return [each for each in self.reports() if not each["ended"] and is_alive(each["pid"])]

    def kill_a_worker(self, number: int = signal.SIGKILL) -> dict[str, Any]:
        """Send a signal to one that is at work; what it had reported."""
        wait_until(self._at_work, "a worker at work")
        (report, *_) = self._at_work()
        os.kill(report["pid"], number)
        return report

    def _at_work(self) -> list[dict[str, Any]]:
        done = self.done()
        return [each for each in self.alive() if f"{each['shard']:06d}.json" not in done]

    def manifest(self) -> list[dict[str, Any]]:
        text = gzip.decompress((self.run / "manifest.jsonl.gz").read_bytes())
        return [json.loads(line) for line in text.splitlines()]

    def assert_exact(self) -> None:
        """Everything is here, accounted for in the manifest and in the journal, and nothing else is."""
        oracle = expected(self.machine.server)
        assert tree(self.dest) == oracle
        keys = [entry["key"] for entry in self.manifest()]
        assert keys == sorted(set(keys))
        assert {entry["path"] for entry in self.manifest() if entry["state"] == "done"} >= set(oracle)
        assert not (self.dest / ".s3haul" / "shards").exists()
        assert not list(self.local.rglob("journal*"))
        counts = verify(self.dest)
        assert (counts.verified, counts.damaged) == (len(oracle), 0)


def is_alive(pid: int) -> bool:
    """A process that has ended may stay as a zombie where nobody asks for its exit code."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def description(**changes: Any) -> RunDescription:
    """What a run might be."""
    some = RunDescription(
        run_id="r",
        created=0.0,
        source=SourceOptions(bucket="b"),
        destination="/d",
        force=False,
        node_local=False,
        access=AccessOptions(),
        external_id_apart=False,
        transfer=TransferOptions(),
        endpoint="e",
        shards=0,
        objects=0,
        bytes=0,
        filtered=0,
        index_sha256="",
        late_sha256="",
    )
    return replace(some, **changes)
