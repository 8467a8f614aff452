"""The tests of `s3haul cluster check` on each node: access with the credentials of a worker there, the destination, the
disk for the journal, and whether the destination is the same directory as on the other nodes."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s3haul.api.check import check
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.records import RunDescription, with_external_id
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.workplace import Workplace
from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk import Destination
from s3haul.errors import DestinationError, S3HaulError, UsageError
from s3haul.options import DestinationOptions

_PROBE = "check"  # in place of a run's id in the worker's journal directory


@dataclass(slots=True)
class NodeCheck:
    """The result of one node: `findings` about access, `problems` of the node; `exit_code` as of `s3haul check`."""

    node: str
    exit_code: int
    findings: list[dict[str, Any]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)

    def add(self, error: S3HaulError) -> None:
        """Record an error of this node."""
        self.problems.append({"id": error.id, "message": error.message, "hint": error.hint or ""})
        self.exit_code = self.exit_code or error.exit_code


@contextmanager
def landmark(run: RunDescription) -> Iterator[str]:
    """The name of a file that is in the destination during the `with` block: workers that see it use the same
    directory. It is "" if every node has a destination of its own."""
    if run.node_local:
        yield ""
        return
    with Destination.open(Path(run.destination), force=run.force) as destination:
        name = f"check-{secrets.token_hex(8)}"
        path = destination.root / STATE_DIRECTORY / name
        path.touch(mode=0o600)
        try:
            yield name
        finally:
            path.unlink(missing_ok=True)


async def check_node(root: Path, local: Path, mark: str) -> NodeCheck:
    """Test everything from this node. Errors are in the result."""
    found = NodeCheck(os.uname().nodename, 0)
    try:
        run = RunDirectory(root).describe()
        access = with_external_id(run)
    except S3HaulError as error:
        found.add(error)
        return found
    if mark and not _sees(Path(run.destination) / STATE_DIRECTORY / mark):
        message = f"{run.destination} is not the same directory here as where the check was started."
        found.add(DestinationError(message, hint="mount the same file system there on every node"))
    if disk := disk_error(local):
        found.add(disk)
    where = DestinationOptions(root=Path(run.destination), force=run.force)
    seen = await check(run.source, where, access=access, transfer=run.transfer)
    found.findings = [asdict(finding) for finding in seen.findings]
    found.exit_code = seen.exit_code or found.exit_code
    return found


def _sees(path: Path) -> bool:
    with suppress(OSError):  # it may not enter one of the directories
        return path.exists()
    return False


def disk_error(local: Path) -> S3HaulError | None:
    """Why no journal can be kept in `local`, if so."""
    try:
        if not local.is_absolute():
            raise UsageError(
                f"{local} is not an absolute path.", hint="give --local as a path that begins with /"
            )
        # Another check may run here at the same time: of another Ray node on this machine, or of another run.
        workplace = Workplace.take(local, _PROBE, Attempt(0, secrets.randbelow(1 << 31)))
        workplace.remove()
        workplace.close()
    except S3HaulError as error:
        return error
    return None
