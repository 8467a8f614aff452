"""The run's directory RUN, on a file system that all workers access: nothing else is shared by them.

    run.json             the description of the run; written last by the planner, when the plan is complete
    plan/                000012.jsonl.gz a shard, index.jsonl, late.jsonl
    attempts/000012-0001 a claim: this number of an attempt is used, and only once
    live/000012-0001     the progress of that attempt
    audit/000012-0001.jsonl.gz   the manifest of the shard, by that attempt
    done/000012.json     the marker: the shard is finished; published once, by a link
    limits.json          how many shards share the rate limits
    events.jsonl         events of the driver: attempts that failed, shards that were given up
    log/                 what worker processes print
    lock                 of the driver

A published file is never changed, except `limits.json` and those in `live/`, which are replaced as a whole,
and `events.jsonl`, which grows. `retract` removes the marker of a shard that must be copied again.
"""

import contextlib
import hashlib
import itertools
import json
import os
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from s3haul.cluster import plan, records
from s3haul.cluster.plan import RECORD, Attempt, LateShadow, Shard, ShardRecord
from s3haul.cluster.records import AttemptReport, Marker, RunDescription
from s3haul.disk.errors import run_error
from s3haul.disk.root import take_lock
from s3haul.errors import UsageError

_PARTS = ("plan", "attempts", "live", "audit", "done", "log")


def attempt_name(attempt: Attempt) -> str:
    """The name of files of an attempt."""
    return f"{attempt.shard:06d}-{attempt.number:04d}"


@contextlib.contextmanager
def _on(root: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise run_error(error, f"use the run's directory {root}") from error


class RunDirectory:
    """Reads and writes RUN. Every method raises `DestinationError` for an error of the file system."""

    def __init__(self, root: Path) -> None:
        self.root = root.absolute()

    @classmethod
    def create(cls, root: Path) -> "RunDirectory":
        """A new one. Raises `UsageError` if the directory is not empty."""
        with _on(root):
            try:
                root.mkdir(mode=0o700, parents=True, exist_ok=True)
                if any(root.iterdir()):
                    raise UsageError(f"The run's directory {root} is not empty.", hint="name a new one")
            except (FileExistsError, NotADirectoryError):
                raise UsageError(
                    f"The run's directory {root} is not a directory.", hint="name a new one"
                ) from None
            for part in _PARTS:
                (root / part).mkdir(mode=0o700)
        return cls(root)

    def discard(self) -> None:
        """Remove what `create` and a plan that was not completed have left,
        so that the same command can be repeated."""
        with _on(self.root):
            for path in (self.root / "plan").iterdir():
                path.unlink()
            for part in _PARTS:
                (self.root / part).rmdir()

    def describe(self) -> RunDescription:
        """The description of the run. Raises `UsageError` if there is no complete plan."""
        try:
            data = (self.root / "run.json").read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise UsageError(
                f"There is no plan in {self.root}.",
                hint=f"s3haul cluster plan s3://BUCKET DEST --run {shlex.quote(str(self.root))} makes one;"
                " is the file system mounted here?",
            ) from None
        except OSError as error:
            raise run_error(error, f"read {self.root}") from error
        return records.decode_description(data)

    # The plan, written once.

    def write_shard(self, shard: Shard) -> ShardRecord:
        data, record = plan.encode_shard(shard)
        self._write(self._shard_path(shard.number), data)
        return record

    def write_index(self, index: bytes, late: list[LateShadow]) -> tuple[str, str]:
        """Write the rest of the plan. Returns the SHA-256 of both files."""
        rest = plan.encode_late(late)
        self._write(self.root / "plan/index.jsonl", index)
        self._write(self.root / "plan/late.jsonl", rest)
        return hashlib.sha256(index).hexdigest(), hashlib.sha256(rest).hexdigest()

    def write_description(self, run: RunDescription) -> None:
        """Write `run.json`: the plan is complete."""
        self._write(self.root / "run.json", records.encode_description(run))

    def read_index(self, run: RunDescription) -> list[ShardRecord]:
        """All records. Raises `SourceError` if the index was changed."""
        data = self._read(self.root / "plan/index.jsonl")
        if hashlib.sha256(data).hexdigest() != run.index_sha256:
            raise plan.damaged_plan("the index is not the one that was written")
        return [
            plan.decode_record(data[number * RECORD : (number + 1) * RECORD], number)
            for number in range(run.shards)
        ]

    def read_shard(self, number: int, run: RunDescription) -> Shard:
        """One shard with all of its shadowed keys. Reads only its own line of the index."""
        with _on(self.root), (self.root / "plan/index.jsonl").open("rb") as index:
            index.seek(number * RECORD)
            record = plan.decode_record(index.read(RECORD), number)
        shard = plan.decode_shard(self._read(self._shard_path(number)), record)
        late = self._read(self.root / "plan/late.jsonl")
        if hashlib.sha256(late).hexdigest() != run.late_sha256:
            raise plan.damaged_plan("the list of late shadowed keys is not the one that was written")
        shard.shadowed |= plan.late_keys(late, number)
        return shard

    # Attempts.

    def claim(self, shard: int) -> Attempt:
        """A new attempt at the shard: its number is not used yet, and higher than all that are."""
        with _on(self.root):
            for number in itertools.count(1):
                attempt = Attempt(shard, number)
                with contextlib.suppress(FileExistsError):
                    path = self.root / "attempts" / attempt_name(attempt)
                    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600))
                    return attempt
        raise AssertionError("numbers do not end")

    def is_latest(self, attempt: Attempt) -> bool:
        """Whether no later attempt has begun."""
        later = Attempt(attempt.shard, attempt.number + 1)
        return not (self.root / "attempts" / attempt_name(later)).exists()

    def latest_attempts(self) -> dict[int, int]:
        """The highest number that is used, for each shard."""
        latest: dict[int, int] = {}
        for name in self._names("attempts"):
            shard, _, number = name.partition("-")
            latest[int(shard)] = max(latest.get(int(shard), 0), int(number))
        return latest

    def report(self, report: AttemptReport) -> None:
        """Write the progress of an attempt. Not synced: it is useless after a crash."""
        path = self.root / "live" / attempt_name(Attempt(report.shard, report.attempt))
        self._write(path, records.encode(report), sync=False)

    def last_report(self, attempt: Attempt) -> AttemptReport | None:
        """The last report of an attempt, if there is one."""
        with contextlib.suppress(OSError):
            return records.decode_report((self.root / "live" / attempt_name(attempt)).read_bytes())
        return None

    # Results.

    def audit_path(self, attempt: Attempt) -> Path:
        return self.root / "audit" / f"{attempt_name(attempt)}.jsonl.gz"

    def publish(self, marker: Marker, audit: bytes) -> bool:
        """Write the audit, then the marker. False (and no file is left) if the shard was finished already."""
        path = self.audit_path(Attempt(marker.shard, marker.attempt))
        self._write(path, audit)
        if self._publish(self._marker_path(marker.shard), records.encode(marker)):
            return True
        with _on(self.root):
            path.unlink(missing_ok=True)
        return False

    def retract(self, shard: int) -> None:
        """Remove the marker: the files of the shard are lost, and it is no longer finished."""
        with _on(self.root):
            self._marker_path(shard).unlink(missing_ok=True)
            _sync_directory(self.root / "done")

    def is_done(self, shard: int) -> bool:
        return self._marker_path(shard).exists()

    def done(self) -> set[int]:
        """The shards that are finished."""
        return {int(name.removesuffix(".json")) for name in self._names("done")}

    def marker(self, shard: int) -> Marker:
        return records.decode_marker(self._read(self._marker_path(shard)))

    # The driver.

    def set_sharers(self, count: int) -> None:
        """Write how many shards share the rate limits."""
        data = json.dumps({"sharers": count}).encode("ascii")
        self._write(self.root / "limits.json", data, sync=False)

    def sharers(self) -> int | None:
        """How many shards share the rate limits; None if no driver has written it,
        or the file is not valid."""
        try:
            count = json.loads((self.root / "limits.json").read_bytes())["sharers"]
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return count if isinstance(count, int) and count > 0 else None

    def log(self, event: dict[str, Any]) -> None:
        """Append a line to events.jsonl."""
        with _on(self.root), (self.root / "events.jsonl").open("a", encoding="ascii") as file:
            file.write(json.dumps(event) + "\n")

    def events(self) -> list[dict[str, Any]]:
        with _on(self.root), contextlib.suppress(FileNotFoundError):
            return [json.loads(line) for line in (self.root / "events.jsonl").read_text("ascii").splitlines()]
        return []

    @contextlib.contextmanager
    def driving(self) -> Iterator[None]:
        """Lock RUN: one driver at a time. Raises `DestinationLockedError`."""
        with _on(self.root):
            root_fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            lock = take_lock(self.root, root_fd)
        finally:
            os.close(root_fd)
        try:
            yield
        finally:
            os.close(lock)

    def _shard_path(self, number: int) -> Path:
        return self.root / "plan" / f"{number:06d}.jsonl.gz"

    def _marker_path(self, number: int) -> Path:
        return self.root / "done" / f"{number:06d}.json"

    def _names(self, part: str) -> list[str]:
        with _on(self.root), os.scandir(self.root / part) as entries:
            return [entry.name for entry in entries if not entry.name.startswith(".")]

    def _read(self, path: Path) -> bytes:
        with _on(self.root):
            try:
                return path.read_bytes()
            except FileNotFoundError:
                raise plan.damaged_plan(f"{path} is not there") from None

    def _temporary(self, path: Path, data: bytes, *, sync: bool) -> Path:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        fd = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            if sync:
                os.fsync(file.fileno())
        return temporary

    def _write(self, path: Path, data: bytes, *, sync: bool = True) -> None:
        """Write a file atomically, and durably unless `sync` is false."""
        with _on(self.root):
            self._temporary(path, data, sync=sync).replace(path)
            if sync:
                _sync_directory(path.parent)

    def _publish(self, path: Path, data: bytes) -> bool:
        """As `_write`, but False if the file exists. `link` is atomic on network file systems too."""
        with _on(self.root):
            temporary = self._temporary(path, data, sync=True)
            try:
                os.link(temporary, path)
            except FileExistsError:
                return False
            finally:
                temporary.unlink()
            _sync_directory(path.parent)
        return True


def _sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
