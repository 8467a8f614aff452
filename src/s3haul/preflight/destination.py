"""The step of the destination: space, inodes, names, renames, the limit of open files."""

import resource
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3haul.core.keypath import safe_path
from s3haul.core.space import SpaceEstimate
from s3haul.core.text import human_bytes
from s3haul.diagnose.evidence import ErrorSummary, Step, StepResult
from s3haul.disk import Tree
from s3haul.disk.probe import LONGEST_NAME, Trial, try_out
from s3haul.errors import DestinationError
from s3haul.models import ObjectRef
from s3haul.options import DestinationOptions

FEWEST_FILES = 256


@dataclass(frozen=True, slots=True)
class DestinationResult:
    """The line of the report, and the problems that were found."""

    step: StepResult
    problems: tuple[ErrorSummary, ...]


def check_destination(
    where: DestinationOptions, listed: Sequence[ObjectRef], *, base: str, complete: bool
) -> DestinationResult:
    """Test the destination of a run. `listed` are the objects that were listed; `complete` if these are all."""
    try:
        trial = try_out(where.root, force=where.force)
        missing = _missing(where, listed, base)
    except DestinationError as error:
        return DestinationResult(
            StepResult(Step.DESTINATION, False, error.message), (ErrorSummary.of(error),)
        )
    room = SpaceEstimate(trial.free.bytes, trial.free.inodes)
    room.need(sum(ref.size for ref in missing), len(missing))
    problems = tuple(_problems(where, listed, trial, room))
    text = f"files can be written and renamed in {trial.place}; {human_bytes(trial.free.bytes)} are free"
    if missing:
        text += f", {human_bytes(room.needed_bytes)}{'' if complete else ' or more'} are needed"
    return DestinationResult(StepResult(Step.DESTINATION, not problems, text), problems)


def _problems(
    where: DestinationOptions, listed: Sequence[ObjectRef], trial: Trial, room: SpaceEstimate
) -> Iterable[ErrorSummary]:
    if warning := room.warning():
        yield ErrorSummary("S3H-DST-02", warning)
    if trial.folds_case and (pairs := _differ_only_in_case(listed)):
        message = f"{where.root} does not distinguish upper and lower case, and {pairs} listed keys differ only in that."
        yield ErrorSummary("S3H-DST-10", message)
    for sentence in trial.limitations:
        yield ErrorSummary("S3H-DST-12", sentence)
    if not trial.takes_long_names:
        yield ErrorSummary("S3H-DST-05", f"{where.root} does not accept names of {LONGEST_NAME} bytes.")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEWEST_FILES:
        yield ErrorSummary("S3H-DST-08", f"This process may open only {hard} files.")


def _missing(where: DestinationOptions, listed: Sequence[ObjectRef], base: str) -> Sequence[ObjectRef]:
    """The objects for which there is no file of the same size yet."""
    if not where.root.is_dir():
        return listed
    with Tree.open(where.root) as tree:
        return [ref for ref in listed if not _exists(tree, where.name, ref, base)]


def _exists(tree: Tree, name: str | None, ref: ObjectRef, base: str) -> bool:
    found = tree.stat(safe_path(name) if name else safe_path(ref.key, base=base))
    return found is not None and found.is_regular and found.size == ref.size


def _differ_only_in_case(listed: Iterable[ObjectRef]) -> int:
    keys = [ref.key for ref in listed]
    return len(keys) - len({key.casefold() for key in keys})
