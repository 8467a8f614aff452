"""What a request is signed with, and who is asked for it. Knows no SDK: the curl transport runs without one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """The keys of one identity. `expires_at` is in epoch seconds by our clock."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


# Awaited before each request: it may wait for a renewal.
FetchCredentials = Callable[[], Awaitable[Credentials]]
