"""The links of the bucket: its existence, its owner, the listing. What tells a missing right from a condition."""

from dataclasses import replace

from s3haul.core.text import human_duration
from s3haul.diagnose.denial import parse_denial
from s3haul.diagnose.evidence import ErrorSummary, Step
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.errors import Fault, SourceError, StoreError
from s3haul.models import ListPage
from s3haul.preflight.objects import read_objects
from s3haul.preflight.sample import first_object
from s3haul.preflight.state import CheckState
from s3haul.store.protocol import ObjectStore


async def reach_bucket(ladder: CheckState) -> None:
    """As far as the objects, where nothing stops before. Raises `UsageError` for a transport that cannot serve."""
    try:
        region = await _find_bucket(ladder)
    except SourceError as error:
        ladder.say(Step.BUCKET, False, error.message)
        ladder.evidence = replace(ladder.evidence, refused=ErrorSummary.of(error))
        return
    fault = ladder.evidence.bucket
    if ladder.evidence.foreign_bucket or (fault and fault.status == 404):
        return
    ladder.evidence = replace(ladder.evidence, region=region)
    try:
        async with ladder.probes.open_store(region) as reached:
            store = reached.store
            began = ladder.clock()
            page = await _list(ladder, store)
            if page is None:
                await _explain_listing(ladder, store, region)
                return
            took = human_duration(ladder.clock() - began)
            text = f"the {reached.transport} transport ({reached.reason}); the first request took {took}"
            ladder.say(Step.NETWORK, True, text)
            if page.entries:
                await read_objects(ladder, store, page)
                await _explain_reading(ladder, region)
            else:
                ladder.say(
                    Step.READ, None, "the first page of the listing is empty: nothing is there to read"
                )
    except StoreError as error:
        ladder.say(Step.LISTING, False, "a further page of the listing is refused")
        ladder.evidence = replace(ladder.evidence, listing=error.fault)


async def _find_bucket(ladder: CheckState) -> str:
    """The bucket's region, "" where the server does not tell. Raises `SourceError` where nobody answers."""
    try:
        region = await ladder.patience.ask(RequestKind.BUCKET, ladder.probes.head_bucket)
    except StoreError as error:
        fault = error.fault
    else:
        ladder.say(Step.BUCKET, True, f"the bucket exists{f', in {region}' if region else ''}")
        return region
    ladder.evidence = replace(ladder.evidence, bucket=fault)
    if fault.status == 403 and ladder.source.expected_bucket_owner and await _is_foreign(ladder):
        ladder.evidence = replace(ladder.evidence, foreign_bucket=True)
        ladder.say(Step.BUCKET, False, f"its owner is not {ladder.source.expected_bucket_owner}")
    elif fault.status in {400, 403}:
        ladder.say(Step.BUCKET, None, f"HEAD is answered by {fault.status}, without a reason")
    else:
        ladder.say(Step.BUCKET, False, f"HEAD fails: {fault.message or fault.status}")
    return fault.region


async def _is_foreign(ladder: CheckState) -> bool:
    try:
        await ladder.probes.head_bucket(owner=False)
    except StoreError:
        return False
    return True


async def _list(ladder: CheckState, store: ObjectStore) -> ListPage | None:
    """The first page, or the one object; None where that is refused."""
    source = ladder.source
    if not source.recursive:
        return await first_object(ladder.patience, store, source.prefix)
    try:
        page = await ladder.patience.ask(RequestKind.LISTING, lambda: store.list_page(source.prefix))
    except StoreError as error:
        ladder.evidence = replace(ladder.evidence, listing=error.fault)
        ladder.say(Step.LISTING, False, f"s3:ListBucket at {source.prefix or 'the root'} is refused")
        return None
    ladder.evidence = replace(ladder.evidence, bucket=None)
    more = " at least" if page.truncated else ""
    ladder.say(Step.LISTING, True, f"s3:ListBucket is allowed:{more} {len(page.entries)} objects")
    return page


async def _explain_listing(ladder: CheckState, store: ObjectStore, region: str) -> None:
    """Other ways to ask, which tell a condition or the requester's payment from a missing right."""
    fault = ladder.evidence.listing
    if fault is None or diagnosis_id(fault, RequestKind.LISTING) != "S3H-S3-02":
        return
    prefix = ladder.source.prefix
    await _offer_to_pay(ladder, region, fault)
    if ladder.evidence.requester_pays:
        return
    parts = prefix.split("/")[:-1]
    ancestors = ["/".join(parts[:depth]) + "/" if depth else "" for depth in range(len(parts))]
    for other in dict.fromkeys([*ladder.candidates, *ancestors]):
        if other != prefix and await _may_list(store, other):
            ladder.evidence = replace(ladder.evidence, listable=other)
            ladder.say(Step.LISTING, None, f"but s3:ListBucket at {other or 'the root'} is allowed")
            return


async def _may_list(store: ObjectStore, prefix: str) -> bool:
    try:
        await store.list_page(prefix)
    except StoreError:
        return False
    return True


async def _offer_to_pay(ladder: CheckState, region: str, fault: Fault) -> None:
    """The same request once more, paid for, where the refusal names no policy."""
    source = ladder.source
    if source.request_payer is not None or parse_denial(fault.message) is not None:
        return
    async with ladder.probes.open_store(region, requester_pays=True) as reached:
        paying = reached.store
        try:
            await (paying.list_page(source.prefix) if source.recursive else paying.head(source.prefix))
        except StoreError:
            return
    ladder.evidence = replace(ladder.evidence, requester_pays=True)


async def _explain_reading(ladder: CheckState, region: str) -> None:
    faults = [one.read for one in ladder.evidence.samples]
    if not ladder.source.recursive and (fault := faults[0]) and fault.status == 403:
        await _offer_to_pay(ladder, region, fault)
