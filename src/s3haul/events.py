"""What a run tells whoever listens: plain values, emitted by the engine and by `aws.credentials`.

Progress bars, log lines and metrics only consume them; nothing here decides anything. `emit` is called
on the event loop and must return at once.
"""

from collections.abc import Callable
from typing import NamedTuple

from s3haul.models import Outcome


class Listed(NamedTuple):
    """One listing page was accepted: so many selected objects and bytes more, `filtered` left out.

    `replacing` of the objects have a file in their place that differs and will be replaced.
    """

    objects: int
    bytes: int
    filtered: int
    replacing: int = 0


class ListingEnded(NamedTuple):
    """Every page was read; the totals are known from here on."""


class AlreadyDone(NamedTuple):
    """Objects that an earlier run finished and that are unchanged on both sides."""

    objects: int
    bytes: int


class Received(NamedTuple):
    """Body bytes came in. Bytes of an attempt that is thrown away come back as a negative number."""

    bytes: int


class Resumed(NamedTuple):
    """Bytes of an object that an earlier run fetched, found intact; negative if they are thrown away after all."""

    bytes: int


class Finished(NamedTuple):
    """One object ended."""

    outcome: Outcome


class Changed(NamedTuple):
    """An object of a list is another version now than the list says; the one that is there was fetched."""

    key: str


class Reconciled(NamedTuple):
    """The bucket was listed again at the end: so many objects came, changed or went since, some of them by name."""

    added: int
    changed: int
    deleted: int
    examples: tuple[str, ...] = ()


class Retrying(NamedTuple):
    """A request failed and will be made again after `delay` seconds; `everyone` when all slow down."""

    key: str  # of the object, or "" for the listing
    reason: str
    message: str
    attempt: int
    delay: float
    everyone: bool = False


class PartialsKept(NamedTuple):
    """The run ended and leaves objects in part, which the next one goes on with."""

    objects: int
    bytes: int  # that landed


class CredentialsRenewed(NamedTuple):
    """The role was assumed (again); the session ends at `expires` (seconds since the epoch)."""

    expires: float
    next_refresh: float


class Warned(NamedTuple):
    """Something the user should know that does not end the run. `id` is a diagnosis id or ""."""

    message: str
    id: str = ""


class Noted(NamedTuple):
    """Something worth saying that is no warning: who calls, and where to."""

    message: str


class Tick(NamedTuple):
    """A second has passed, whether or not anything happened in it."""


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
