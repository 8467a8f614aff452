"""The seam between a check and the services: the calls that only a check makes. No implementation lives here.

The transfer's own requests go through `store.ObjectStore`, as in a run.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from s3haul.options import RoleOptions
from s3haul.store.protocol import ObjectStore


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom the service takes us for."""

    arn: str
    account: str

    @property
    def is_role(self) -> bool:
        return ":assumed-role/" in self.arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The effective settings: (name, value, origin) as shown; `role` is the last one of the chain."""

    settings: tuple[tuple[str, str, str], ...]
    role: RoleOptions | None = None
    keys_win: bool = False  # AWS_ACCESS_KEY_ID is exported and wins over AWS_PROFILE


@dataclass(frozen=True, slots=True)
class TrustView:
    """The role as its owner sees it. `arn` is "" where the account has no role of that name."""

    arn: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reached:
    """The bucket's store, and how it is reached: "curl" or "sdk", and why that one."""

    store: ObjectStore
    transport: str
    reason: str


class Probes(Protocol):
    """One access, link by link, in this order; `S3HaulError` names the row, `StoreError` is one refused request."""

    def configuration(self) -> Configuration:
        """Read profile, environment and flags. Raises `ProfileError` or `UsageError`."""
        ...

    async def caller(self) -> Identity | None:
        """Who calls before any role is assumed; None where the service cannot say. Raises `S3HaulError`."""
        ...

    async def assume(self) -> Identity | None:
        """Assume the roles and ask who we are then; None without a role. Raises `S3HaulError`."""
        ...

    async def assumes_without_external_id(self) -> bool | None:
        """Whether the last role needs no External ID; None where that cannot be tried."""
        ...

    async def trust(self) -> TrustView | None:
        """The role's trust policy, where its owner's profile was given. Raises `S3HaulError`."""
        ...

    async def head_bucket(self, *, owner: bool = True) -> str:
        """The bucket's region, "" if not told; `owner` states the expected one.

        Raises `StoreError`, or `SourceError` where no service answers.
        """
        ...

    def open_store(
        self, region: str, *, requester_pays: bool = False
    ) -> AbstractAsyncContextManager[Reached]:
        """The store of a run, in the region that `head_bucket` found ("" for the configured one)."""
        ...

    async def owner_of(self, key: str) -> str:
        """The canonical id of an object's owner, "" if not told. Raises as `head_bucket`."""
        ...
