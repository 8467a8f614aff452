"""The destination's step: can it take what was listed? Space, inodes, names, renames, open files."""

import resource
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from s3haul.core.evidence import Step, StepResult, Trouble
from s3haul.core.room import Need, Room, shortage
from s3haul.core.text import human_bytes
from s3haul.disk.trial import LONGEST_NAME, try_out
from s3haul.errors import DestinationError
from s3haul.models import ObjectRef
from s3haul.options import DestinationOptions

FEWEST_FILES = 256


@dataclass(frozen=True, slots=True)
class PlaceResult:
    """The line of the report, and what is wrong."""

    step: StepResult
    troubles: tuple[Trouble, ...]


def look_at(where: DestinationOptions, listed: Sequence[ObjectRef], *, complete: bool) -> PlaceResult:
    """Try out the destination of a run. `listed` is what was seen of the listing, all of it if `complete`."""
    try:
        trial = try_out(where.root, force=where.force)
    except DestinationError as error:
        return PlaceResult(StepResult(Step.DESTINATION, False, error.message), (Trouble.of(error),))
    need = Need(sum(ref.size for ref in listed), len(listed))
    troubles = []
    if missing := shortage(need, Room(trial.free.bytes, trial.free.inodes)):
        troubles.append(Trouble("S3H-DST-02", f"{where.root} is too small: {missing}."))
    if trial.folds_case and (pairs := _same_but_for_case(listed)):
        message = (
            f"{where.root} does not tell upper from lower case, and {pairs} listed keys differ in that alone."
        )
        troubles.append(Trouble("S3H-DST-10", message))
    if not trial.takes_long_names:
        message = f"{where.root} does not take names of {LONGEST_NAME} bytes."
        troubles.append(Trouble("S3H-DST-05", message))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEWEST_FILES:
        troubles.append(Trouble("S3H-DST-08", f"This process may open {hard} files only."))
    text = f"{trial.place} takes files and renames them; {human_bytes(trial.free.bytes)} are free"
    if need.files:
        text += (
            f", {human_bytes(need.bytes)}{'' if complete else ' or more'} are listed in {need.files} objects"
        )
    return PlaceResult(StepResult(Step.DESTINATION, not troubles, text), tuple(troubles))


def _same_but_for_case(listed: Iterable[ObjectRef]) -> int:
    keys = [ref.key for ref in listed]
    return len(keys) - len({key.casefold() for key in keys})
