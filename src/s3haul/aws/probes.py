"""The requests that only `check` sends, with the same settings, credentials and clients as a run.

`preflight` decides their order, and what to do after an error. All other requests of a check use the store of a run.
"""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

from s3haul.aws.bucket_location import expected_region
from s3haul.aws.chain import SHORTEST_SESSION
from s3haul.aws.clients import iam_client, s3_client, sts_client
from s3haul.aws.faults import BOTO_ERRORS, is_answer, settings_errors, sts_error, translate, unreachable
from s3haul.aws.http_client import call
from s3haul.aws.session import OpenBucket, checked_settings, open_bucket
from s3haul.aws.settings import Settings, effective
from s3haul.aws.source_credentials import constant, load_source
from s3haul.aws.sts import AskMfa, RoleChain
from s3haul.errors import AccessError, CredentialsError, S3HaulError, StoreError
from s3haul.events import ignore
from s3haul.options import AccessOptions, RoleOptions, SourceOptions, TransferOptions
from s3haul.s3.endpoint import FetchCredentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """The effective settings, to be shown: (name, value, origin). `role` is the last one of the chain."""

    settings: tuple[tuple[str, str, str], ...]
    role: RoleOptions | None
    keys_override_profile: bool  # AWS_ACCESS_KEY_ID is set and overrides AWS_PROFILE


@dataclass(frozen=True, slots=True)
class TrustView:
    """The role, read with the owner's profile. `arn` is "" if the account has no role with that name."""

    arn: str
    policy: Mapping[str, Any]


class Probes:
    """The requests for one set of access options and one bucket. Later calls need results of earlier ones: call them in
    the order of their definition.

    An `S3HaulError` has a diagnosis id; a `StoreError` is one failed request.
    """

    def __init__(
        self, access: AccessOptions, source: SourceOptions, transfer: TransferOptions, ask_mfa: AskMfa
    ) -> None:
        self._access = access
        self._source = source
        self._transfer = transfer
        self._ask_mfa = ask_mfa
        self._settings: Settings | None = None
        self._fetch: FetchCredentials | None = None

    def configuration(self) -> Configuration:
        """Read profile, environment and flags. Raises `ProfileError` or `UsageError`."""
        settings = self._settings = checked_settings(self._access)
        with settings_errors():
            rows = effective(self._access)
        shown = tuple(
            (row.name, row.value, row.where or row.origin.value) for row in rows if row.value is not None
        )
        return Configuration(
            settings=shown,
            role=settings.role,
            keys_override_profile=any(one.id == "S3H-CFG-06" for one in settings.warnings),
        )

    async def caller(self) -> str | None:
        """The ARN of the source credentials; None if there is no STS. Raises `S3HaulError`."""
        settings = self._configured
        self._fetch = await load_source(settings)
        try:
            return await _identity(settings, self._fetch)
        except S3HaulError as error:
            # A server without STS is fine if no role must be assumed.
            if settings.roles or isinstance(error, CredentialsError):
                raise
            return None

    async def assume(self) -> str | None:
        """Assume the roles, and return the ARN of the session; None without a role. Raises `S3HaulError`."""
        settings = self._configured
        if not settings.roles:
            return None
        self._fetch = await self._assumed(settings)
        return await _identity(settings, self._fetch)

    async def assumes_without_external_id(self) -> bool | None:
        """Whether the last role can be assumed without External ID; None if that cannot be tested."""
        settings = self._configured
        role = settings.role
        if role is None or role.external_id is None or any(step.role.mfa_serial for step in settings.roles):
            return None
        bare = replace(role, external_id=None, duration_seconds=SHORTEST_SESSION)
        steps = (*settings.roles[:-1], replace(settings.roles[-1], role=bare))
        try:
            await self._assumed(replace(settings, roles=steps))
        except AccessError:
            return False
        except S3HaulError:
            return None
        return True

    async def trust(self) -> TrustView | None:
        """The role's trust policy; None without --owner-profile. Raises `S3HaulError`."""
        role, profile = self._configured.role, self._access.owner_profile
        if role is None or profile is None:
            return None
        owner = checked_settings(
            replace(self._access, profile=profile, role=None, source_profile=None, external_id=None)
        )
        fetch = await (self._assumed(owner) if owner.roles else load_source(owner))
        try:
            keys, name = await fetch(), role.role_arn.rpartition("/")[2]
            found = (await call(lambda: iam_client(owner, keys).get_role(RoleName=name))).get("Role", {})
        except BOTO_ERRORS as error:
            fault = translate(error)
            if fault.code == "NoSuchEntity":
                return TrustView("", {})
            raise sts_error(fault, error, None, owner) from None
        document = found.get("AssumeRolePolicyDocument")
        return TrustView(str(found.get("Arn", "")), document if isinstance(document, dict) else {})

    async def head_bucket(self, *, owner: bool = True) -> str:
        """The bucket's region, "" if unknown. With `owner`, the request contains the expected bucket owner.

        Raises `StoreError`, or `SourceError` if there is no response.
        """
        source = self._source if owner else replace(self._source, expected_bucket_owner=None)
        async with self.open_store("", source) as bucket:
            try:
                return await bucket.store.bucket_region()
            except StoreError as error:
                fault = error.fault
                if is_answer(fault):
                    raise
                cause = error.__cause__ or error
                raise unreachable("S3", fault, cause, self._configured.given) from None

    def open_store(
        self, region: str, source: SourceOptions | None = None
    ) -> AbstractAsyncContextManager[OpenBucket]:
        """Open the store as a run does, in the region that `head_bucket` returned ("" for the expected one)."""
        settings, source = self._configured, source or self._source
        region = region or expected_region(settings, source.bucket)
        return open_bucket(
            settings, self._keys, source, self._transfer, region, transport=self._access.transport
        )

    async def owner_of(self, key: str) -> str:
        """The canonical id of an object's owner, "" if unknown. Raises as `head_bucket`."""
        settings, bucket = self._configured, self._source.bucket
        request = {"Bucket": bucket, "Prefix": key, "MaxKeys": 1, "FetchOwner": True}
        if self._source.request_payer:
            request["RequestPayer"] = self._source.request_payer
        try:
            keys = await self._keys()
            client = s3_client(settings, keys, bucket=bucket, region=expected_region(settings, bucket))
            found = (await call(lambda: client.list_objects_v2(**request))).get("Contents", [])
        except BOTO_ERRORS as error:
            fault = translate(error)
            if is_answer(fault):
                raise StoreError(fault) from error
            raise unreachable("S3", fault, error, settings.given) from None
        same = found and found[0].get("Key") == key
        return str(found[0].get("Owner", {}).get("ID", "")) if same else ""

    async def _assumed(self, settings: Settings) -> FetchCredentials:
        """A session of the last role. Its warnings are not shown, because it exists only for the check."""
        return constant((await RoleChain(settings, ask_mfa=self._ask_mfa, on_event=ignore)()).keys)

    @property
    def _configured(self) -> Settings:
        assert self._settings is not None, "configuration() comes first"
        return self._settings

    @property
    def _keys(self) -> FetchCredentials:
        assert self._fetch is not None, "caller() comes first"
        return self._fetch


async def _identity(settings: Settings, fetch: FetchCredentials) -> str:
    """The ARN of the caller, according to STS."""
    try:
        keys = await fetch()
        answer = await call(lambda: sts_client(settings, keys).get_caller_identity())
    except BOTO_ERRORS as error:
        raise sts_error(translate(error), error, None, settings) from None
    return str(answer.get("Arn", ""))
