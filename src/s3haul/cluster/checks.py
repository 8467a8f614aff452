"""What `s3haul cluster check` looks at in the place of a worker: the access chain with the worker's own credentials, the
destination, the disk for its journal, and whether it sees the same directories as the one who asks."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from s3haul.api.check import check
from s3haul.cluster.description import RunDescription, with_external_id
from s3haul.cluster.directory import RunDirectory
from s3haul.cluster.schedule import Attempt
from s3haul.cluster.workplace import Workplace
from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk import Destination
from s3haul.errors import DestinationError, S3HaulError, UsageError
from s3haul.options import DestinationOptions

_PROBE = "check"  # stands for the run's id in the worker's journal directory


@dataclass(slots=True)
class NodeCheck:
    """What one node saw: `findings` of the access chain, and `troubles` of its own; `exit_code` as `s3haul check`."""

    node: str
    exit_code: int
    findings: list[dict[str, Any]] = field(default_factory=list)
    troubles: list[dict[str, str]] = field(default_factory=list)

    def trouble(self, error: S3HaulError) -> None:
        """Something that this node alone met."""
        self.troubles.append({"id": error.id, "message": error.message, "hint": error.hint or ""})
        self.exit_code = self.exit_code or error.exit_code


@contextmanager
def landmark(run: RunDescription) -> Iterator[str]:
    """A file in the destination while the block lasts, by which workers know that it is the same one; its name. None is
    needed where every node has a destination of its own."""
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
    """Look at everything from here. Errors are in the result."""
    found = NodeCheck(os.uname().nodename, 0)
    try:
        run = RunDirectory(root).describe()
        access = with_external_id(run)
    except S3HaulError as error:
        found.trouble(error)
        return found
    for trouble in _own_troubles(run, local, mark):
        found.trouble(trouble)
    where = DestinationOptions(root=Path(run.destination), force=run.force)
    seen = await check(run.source, where, access=access, transfer=run.transfer)
    found.findings = [asdict(finding) for finding in seen.findings]
    found.exit_code = seen.exit_code or found.exit_code
    return found


def _own_troubles(run: RunDescription, local: Path, mark: str) -> Iterator[S3HaulError]:
    if mark and not (Path(run.destination) / STATE_DIRECTORY / mark).exists():
        yield DestinationError(
            f"{run.destination} is another directory here than where the check was started.",
            hint="mount the same file system there on every node",
        )
    try:
        if not local.is_absolute():
            raise UsageError(f"{local} is no absolute path.", hint="give --local from / on")
        workplace = Workplace.take(local, _PROBE, Attempt(0, 1))
        workplace.remove()
        workplace.close()
    except S3HaulError as error:
        yield error
