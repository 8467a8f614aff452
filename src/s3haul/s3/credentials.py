"""The credentials that sign a request, and the type of the function that returns them. Uses no SDK."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of one identity. `expires_at` is in epoch seconds of the clock of this machine."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


# Awaited before each request. It may wait until the credentials are renewed.
FetchCredentials = Callable[[], Awaitable[Credentials]]
