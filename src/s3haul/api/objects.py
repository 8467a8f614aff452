"""Where a run's objects come from: opens what `SourceOptions.objects` names. None is the bucket's own listing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from s3haul.aws.session import open_store
from s3haul.engine.context import ObjectSource, read_context
from s3haul.engine.object_sources import ListedObjects
from s3haul.engine.stored_report import StoredReport
from s3haul.engine.version_source import AllVersions, BucketAt, VersionStore
from s3haul.errors import UsageError
from s3haul.events import CredentialsRenewed, Emit, Event, Retrying, Warned
from s3haul.options import AccessOptions, ListForm, ObjectList, SourceOptions, TransferOptions
from s3haul.policies.buckets import check_bucket
from s3haul.sources import KeyLists
from s3haul.sources.inventory import MANIFEST, Inventory, LocalReport
from s3haul.store.protocol import ObjectStore

_SCHEME = "s3://"
_TOLD = (Warned, Retrying, CredentialsRenewed)


@asynccontextmanager
async def object_source(
    access: AccessOptions, source: SourceOptions, transfer: TransferOptions, emit: Emit
) -> AsyncIterator[ObjectSource | None]:
    """For the length of one run. Raises `S3HaulError` for what cannot be opened."""
    objects = source.objects
    if source.at is not None:
        yield BucketAt(source.at)
    elif source.all_versions:
        yield AllVersions()
    elif objects is None:
        yield None
    elif objects.form is not ListForm.INVENTORY:
        yield ListedObjects(KeyLists(objects, source.bucket, source.prefix))
    elif objects.location.startswith(_SCHEME):
        async with _stored_report(objects, access, source, transfer, emit) as report:
            yield ListedObjects(Inventory(report, source.bucket, source.prefix))
    else:
        path = Path(objects.location)
        here = LocalReport(path / MANIFEST if path.is_dir() else path)  # noqa: ASYNC240 - nothing else runs yet
        yield ListedObjects(Inventory(here, source.bucket, source.prefix))


def store_for(store: ObjectStore, source: SourceOptions) -> ObjectStore:
    """The store that serves what `object_source` names."""
    return VersionStore(store) if source.all_versions else store


@asynccontextmanager
async def _stored_report(
    objects: ObjectList, access: AccessOptions, source: SourceOptions, transfer: TransferOptions, emit: Emit
) -> AsyncIterator[StoredReport]:
    """A report in S3, through a store of its own: what is demanded of the objects does not concern it."""
    bucket, _, key = objects.location.removeprefix(_SCHEME).partition("/")
    check_bucket(bucket)
    if not key.endswith(MANIFEST):
        raise UsageError(
            f"--inventory takes the {MANIFEST} of one report.",
            hint=f"s3://BUCKET/PREFIX/SOURCE-BUCKET/NAME/2026-01-31T01-00Z/{MANIFEST}",
        )
    place = SourceOptions(bucket=bucket, prefix=key, recursive=False, request_payer=source.request_payer)
    plain = replace(transfer, sse=None, sse_kms_key_id=None, require_checksum=False)

    def tell(event: Event) -> None:
        if isinstance(event, _TOLD):
            emit(event)

    async with open_store(access, place, plain, on_event=tell) as opened:
        yield StoredReport(
            read_context(opened.store, place, opened.transfer, tell, credentials=opened.credentials)
        )
