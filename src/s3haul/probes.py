"""The interface between a check and the services: the requests that only a check sends. `aws.probes` implements it.

All other requests of a check use `store.ObjectStore`, as a run does.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from s3haul.options import RoleOptions
from s3haul.store.protocol import ObjectStore


@dataclass(frozen=True, slots=True)
class Identity:
    """The identity of the caller, according to STS."""

    arn: str
    account: str

    @property
    def is_role(self) -> bool:
        return ":assumed-role/" in self.arn


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The effective settings, to be shown: (name, value, origin). `role` is the last one of the chain."""

    settings: tuple[tuple[str, str, str], ...]
    role: RoleOptions | None = None
    keys_win: bool = False  # AWS_ACCESS_KEY_ID is set and overrides AWS_PROFILE


@dataclass(frozen=True, slots=True)
class TrustView:
    """The role, read with the owner's profile. `arn` is "" if the account has no role with that name."""

    arn: str
    policy: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reached:
    """The opened store, its transport ("curl" or "sdk"), and why that one was chosen."""

    store: ObjectStore
    transport: str
    reason: str


class Probes(Protocol):
    """The steps of access, in this order. An `S3HaulError` has a diagnosis id; a `StoreError` is one failed request."""

    def configuration(self) -> Configuration:
        """Read profile, environment and flags. Raises `ProfileError` or `UsageError`."""
        ...

    async def caller(self) -> Identity | None:
        """The identity of the source credentials; None if there is no STS. Raises `S3HaulError`."""
        ...

    async def assume(self) -> Identity | None:
        """Assume the roles, and return the resulting identity; None without a role. Raises `S3HaulError`."""
        ...

    async def assumes_without_external_id(self) -> bool | None:
        """Whether the last role can be assumed without External ID; None if that cannot be tested."""
        ...

    async def trust(self) -> TrustView | None:
        """The role's trust policy; None without --owner-profile. Raises `S3HaulError`."""
        ...

    async def head_bucket(self, *, owner: bool = True) -> str:
        """The bucket's region, "" if unknown. With `owner`, the request contains the expected bucket owner.

        Raises `StoreError`, or `SourceError` if there is no response.
        """
        ...

    def open_store(
        self, region: str, *, requester_pays: bool = False
    ) -> AbstractAsyncContextManager[Reached]:
        """Open the store as a run does, in the region that `head_bucket` returned ("" for the configured one)."""
        ...

    async def owner_of(self, key: str) -> str:
        """The canonical id of an object's owner, "" if unknown. Raises as `head_bucket`."""
        ...
