"""The events of a run: plain values, emitted by the engine and by `aws.credentials` for
progress bars, logs and metrics.

`Emit` functions are called on the event loop, and must return at once.
"""

from collections.abc import Callable
from typing import NamedTuple

from s3haul.models import Outcome


class Listed(NamedTuple):
    """One listing page was read: the number of its selected objects, their bytes,
    and the number that was filtered out.

    `replacing` objects have a different file in their place, which will be replaced.
    """

    objects: int
    bytes: int
    filtered: int
    replacing: int = 0


class ListingEnded(NamedTuple):
    """All pages were read; the totals are known."""


class AlreadyDone(NamedTuple):
    """Objects that an earlier run copied, unchanged in the bucket and on disk."""

    objects: int
    bytes: int


class Received(NamedTuple):
    """Bytes of bodies were received. Bytes of an attempt that is discarded are subtracted
    by a negative number."""

    bytes: int


class Resumed(NamedTuple):
    """Intact bytes of an object that an earlier run fetched; negative if they are discarded later."""

    bytes: int


class Finished(NamedTuple):
    """One object reached its final state."""

    outcome: Outcome


class Changed(NamedTuple):
    """An object of a list has changed since the list was written; the current version was fetched."""

    key: str


class Reconciled(NamedTuple):
    """The bucket was listed again at the end: the numbers of objects that were added,
    changed or deleted, and some keys."""

    added: int
    changed: int
    deleted: int
    examples: tuple[str, ...] = ()


class Retrying(NamedTuple):
    """A request failed and will be repeated after `delay` seconds; with `everyone` all requests slow down."""

    key: str  # of the object, or "" for the listing
    reason: str
    message: str
    attempt: int
    delay: float
    everyone: bool = False


class PartialsKept(NamedTuple):
    """The run ended with incomplete objects, which the next run continues."""

    objects: int
    bytes: int  # of them on disk


class CredentialsRenewed(NamedTuple):
    """The role was assumed, `first` or again; the session ends at `expires` (seconds since the epoch)."""

    expires: float
    next_refresh: float
    first: bool = False


class Warned(NamedTuple):
    """A warning for the user; the run continues. `id` is a diagnosis id or ""."""

    message: str
    id: str = ""


class Noted(NamedTuple):
    """A note for the user, such as the identity and the endpoint."""

    message: str


class Tick(NamedTuple):
    """One second has passed."""


Event = (
    Listed
    | ListingEnded
    | AlreadyDone
    | Received
    | Resumed
    | Finished
    | Changed
    | Reconciled
    | Retrying
    | PartialsKept
    | CredentialsRenewed
    | Warned
    | Noted
    | Tick
)
Emit = Callable[[Event], None]


def ignore(_event: object) -> None:
    """The default for callbacks."""
