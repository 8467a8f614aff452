"""The requests that only `check` sends: `probes.Probes` with the same settings, credentials and clients as a run.

Each method sends one request and returns the result. `preflight` decides the order, and what to do after an error.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from typing import Any

from s3haul.aws import refusals
from s3haul.aws.bucket_location import expected_region
from s3haul.aws.clients import iam_client, s3_client, sts_client
from s3haul.aws.config.settings import Settings, effective
from s3haul.aws.config.validation import SHORTEST_SESSION
from s3haul.aws.faults import BOTO_ERRORS, settings_errors, translate
from s3haul.aws.http_client import call
from s3haul.aws.session import ask_mfa, checked_settings, open_bucket
from s3haul.aws.source_credentials import constant, load_source
from s3haul.aws.sts import AskMfa, RoleChain
from s3haul.errors import AccessError, CredentialsError, FaultKind, S3HaulError, StoreError
from s3haul.events import Emit
from s3haul.options import AccessOptions, SourceOptions, TransferOptions
from s3haul.probes import Configuration, Identity, Reached, TrustView
from s3haul.s3.endpoint import FetchCredentials


class AwsProbes:
    """`Probes` for one set of access options and one bucket. Later calls need results of earlier ones: call them in the
    order of `preflight.steps`."""

    def __init__(
        self,
        access: AccessOptions,
        source: SourceOptions,
        transfer: TransferOptions,
        *,
        on_event: Emit,
        ask_mfa: AskMfa = ask_mfa,
    ) -> None:
        self._access = access
        self._source = source
        self._transfer = transfer
        self._on_event = on_event
        self._ask_mfa = ask_mfa
        self._settings: Settings | None = None
        self._fetch: FetchCredentials | None = None

    def configuration(self) -> Configuration:
        settings = self._settings = checked_settings(self._access)
        with settings_errors():
            rows = effective(self._access)
        shown = tuple(
            (row.name, row.value, row.where or row.origin.value) for row in rows if row.value is not None
        )
        return Configuration(
            settings=shown,
            role=settings.role,
            keys_win=any(one.id == "S3H-CFG-06" for one in settings.warnings),
        )

    async def caller(self) -> Identity | None:
        settings = self._configured
        self._fetch = await load_source(settings)
        try:
            return await _identity(settings, self._fetch)
        except S3HaulError as error:
            # A server without STS is fine if no role must be assumed.
            if settings.roles or isinstance(error, CredentialsError):
                raise
            return None

    async def assume(self) -> Identity | None:
        settings = self._configured
        if not settings.roles:
            return None
        chain = RoleChain(settings, ask_mfa=self._ask_mfa, on_event=self._on_event)
        self._fetch = constant((await chain()).keys)
        return await _identity(settings, self._fetch)

    async def assumes_without_external_id(self) -> bool | None:
        settings = self._configured
        role = settings.role
        if role is None or role.external_id is None or any(step.role.mfa_serial for step in settings.roles):
            return None
        bare = replace(role, external_id=None, duration_seconds=SHORTEST_SESSION)
        steps = (*settings.roles[:-1], replace(settings.roles[-1], role=bare))
        chain = RoleChain(replace(settings, roles=steps), ask_mfa=self._ask_mfa, on_event=_unheard)
        try:
            await chain()
        except AccessError:
            return False
        except S3HaulError:
            return None
        return True

    async def trust(self) -> TrustView | None:
        role, profile = self._configured.role, self._access.owner_profile
        if role is None or profile is None:
            return None
        owner = checked_settings(
            replace(self._access, profile=profile, role=None, source_profile=None, external_id=None)
        )
        fetch = await self._owner_keys(owner)
        try:
            keys, name = await fetch(), role.role_arn.rpartition("/")[2]
            found = (await call(lambda: iam_client(owner, keys).get_role(RoleName=name))).get("Role", {})
        except BOTO_ERRORS as error:
            fault = translate(error)
            if fault.code == "NoSuchEntity":
                return TrustView("", {})
            raise refusals.explain(fault, error, None, owner) from None
        document = found.get("AssumeRolePolicyDocument")
        return TrustView(str(found.get("Arn", "")), document if isinstance(document, dict) else {})

    async def head_bucket(self, *, owner: bool = True) -> str:
        request: dict[str, Any] = {"Bucket": self._source.bucket}
        if owner and self._source.expected_bucket_owner:
            request["ExpectedBucketOwner"] = self._source.expected_bucket_owner
        answer = await self._s3("head_bucket", request)
        return str(answer["ResponseMetadata"]["HTTPHeaders"].get("x-amz-bucket-region", ""))

    def open_store(
        self, region: str, *, requester_pays: bool = False
    ) -> AbstractAsyncContextManager[Reached]:
        source = replace(self._source, request_payer="requester") if requester_pays else self._source
        return self._open_store(region or self._configured.region.value or "", source)

    @asynccontextmanager
    async def _open_store(self, region: str, source: SourceOptions) -> AsyncIterator[Reached]:
        opening = open_bucket(
            self._configured, self._keys, region, source, self._transfer, transport=self._access.transport
        )
        async with opening as bucket:
            yield Reached(bucket.store, bucket.choice.transport, bucket.choice.reason)

    async def owner_of(self, key: str) -> str:
        request = {"Bucket": self._source.bucket, "Prefix": key, "MaxKeys": 1, "FetchOwner": True}
        found = (await self._s3("list_objects_v2", request)).get("Contents", [])
        same = found and found[0].get("Key") == key
        return str(found[0].get("Owner", {}).get("ID", "")) if same else ""

    async def _s3(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        bucket = self._source.bucket
        region = expected_region(self._configured, bucket)
        if self._source.request_payer and operation != "head_bucket":
            request["RequestPayer"] = self._source.request_payer
        try:
            keys = await self._keys()
            client = s3_client(self._configured, keys, bucket=bucket, region=region)
            answer: dict[str, Any] = await call(lambda: getattr(client, operation)(**request))
        except BOTO_ERRORS as error:
            fault = translate(error)
            if fault.kind is FaultKind.HTTP or fault.code == "PermanentRedirect":
                raise StoreError(fault) from error
            raise refusals.unreachable("S3", fault, error, self._configured.given) from None
        return answer

    async def _owner_keys(self, owner: Settings) -> FetchCredentials:
        if not owner.roles:
            return await load_source(owner)
        chain = RoleChain(owner, ask_mfa=self._ask_mfa, on_event=_unheard)
        return constant((await chain()).keys)

    @property
    def _configured(self) -> Settings:
        assert self._settings is not None, "configuration() comes first"
        return self._settings

    @property
    def _keys(self) -> FetchCredentials:
        assert self._fetch is not None, "caller() comes first"
        return self._fetch


async def _identity(settings: Settings, fetch: FetchCredentials) -> Identity:
    try:
        keys = await fetch()
        answer = await call(lambda: sts_client(settings, keys).get_caller_identity())
    except BOTO_ERRORS as error:
        raise refusals.explain(translate(error), error, None, settings) from None
    return Identity(str(answer.get("Arn", "")), str(answer.get("Account", "")))


def _unheard(_event: object) -> None:
    """Warnings of sessions that exist only for a probe are not shown."""
