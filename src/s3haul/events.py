"""What a run tells whoever listens: plain values, emitted by the engine and by `aws.credentials`.

Progress bars, log lines and metrics only consume them; nothing here decides anything. `emit` is called
on the event loop and must return at once.
"""

from collections.abc import Callable
from dataclasses import dataclass

from s3haul.models import Outcome


@dataclass(frozen=True, slots=True)
class Listed:
    """One listing page was accepted: so many selected objects and bytes more, `filtered` left out."""

    objects: int
    bytes: int
    filtered: int


@dataclass(frozen=True, slots=True)
class ListingEnded:
    """Every page was read; the totals are known from here on."""


@dataclass(frozen=True, slots=True)
class AlreadyDone:
    """Objects that an earlier run finished and that are unchanged on both sides."""

    objects: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Received:
    """Body bytes came in. Bytes of an attempt that is thrown away come back as a negative number."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Resumed:
    """Bytes of an object that an earlier run fetched, found intact; negative if they are thrown away after all."""

    bytes: int


@dataclass(frozen=True, slots=True)
class Finished:
    """One object ended."""

    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Retrying:
    """A request failed and will be made again after `delay` seconds; `everyone` when all slow down."""

    key: str  # of the object, or "" for the listing
    reason: str
    message: str
    attempt: int
    delay: float
    everyone: bool = False


@dataclass(frozen=True, slots=True)
class CredentialsRenewed:
    """The role was assumed (again); the session ends at `expires` (seconds since the epoch)."""

    expires: float
    next_refresh: float


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know that does not end the run. `id` is a diagnosis id or ""."""

    message: str
    id: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """A second has passed, whether or not anything happened in it."""


Event = (
    Listed
    | ListingEnded
    | AlreadyDone
    | Received
    | Resumed
    | Finished
    | Retrying
    | CredentialsRenewed
    | Warned
    | Tick
)
Emit = Callable[[Event], None]
