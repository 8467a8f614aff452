"""The ladder: one link of the access after the other, until one breaks; then what tells the rows apart.

Each step is reported as it is taken. Nothing is decided here beyond the order: the evidence is judged in
`core.judgement`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from s3haul.core.denial import parse_denial
from s3haul.core.evidence import Evidence, Step, StepResult, Trouble, grouped
from s3haul.core.symptoms import Asked, row_of
from s3haul.core.text import human_bytes, human_duration
from s3haul.core.trust import row_of_trust
from s3haul.errors import Fault, FaultKind, S3HaulError, StoreError, UsageError
from s3haul.models import ListPage, ObjectRef
from s3haul.options import RoleOptions, SourceOptions
from s3haul.preflight.patience import Patience
from s3haul.preflight.sample import SAMPLES, ask_for, choose, first_object, spread_keys
from s3haul.probes import Identity, Probes
from s3haul.store import ObjectStore

Report = Callable[[StepResult], None]
CHAINED_SESSION = 3600  # seconds; longer ones are clamped where the caller is a role
_REFUSED_ROLE = frozenset({"S3H-STS-03"})


@dataclass(slots=True)
class Climb:
    """One climb: who asks what, where it reports to, and what it has seen so far."""

    probes: Probes
    source: SourceOptions
    report: Report
    candidates: Sequence[str] = ()  # other prefixes that the user spoke of
    suspects: Sequence[str] = ()  # keys that a run was refused, to be among the samples
    sample_size: int = SAMPLES
    clock: Callable[[], float] = time.monotonic
    patience: Patience = field(default_factory=Patience)
    evidence: Evidence = field(default_factory=Evidence)
    listed: tuple[ObjectRef, ...] = ()  # as far as the sample had to look

    def say(self, step: Step, ok: bool | None, text: str, details: tuple[str, ...] = ()) -> None:  # noqa: FBT001 - three states, named by type
        self.report(StepResult(step, ok, text, details))

    def see(self, **seen: object) -> None:
        self.evidence = replace(self.evidence, **seen)  # type: ignore[arg-type]  # names and types are Evidence's


async def climb(ladder: Climb) -> Evidence:
    """Take every step that can be taken; the evidence of all of them. Raises `UsageError`."""
    if await _reach_role(ladder):
        await _reach_bucket(ladder)
    ladder.see(slowed=frozenset(ladder.patience.slowed))
    return ladder.evidence


async def _reach_role(ladder: Climb) -> bool:
    """Configuration, caller, role. False where one of them breaks. Raises `UsageError`."""
    step = Step.CONFIGURATION
    role: RoleOptions | None = None
    try:
        configuration = ladder.probes.configuration()
        role = configuration.role
        ladder.see(keys_win=configuration.keys_win, role_arn=role.role_arn if role else "")
        shown = tuple(f"{name} {value} ({origin})" for name, value, origin in configuration.settings)
        ladder.say(step, True, "the effective settings are", shown)
        step = Step.CALLER
        caller = await ladder.probes.caller()
        _note_caller(ladder, caller, clamped=role is not None and role.duration_seconds > CHAINED_SESSION)
        step = Step.ROLE
        identity = await ladder.probes.assume()
        if identity is None:
            ladder.say(step, None, "no role is configured: the caller itself reads the bucket")
        else:
            ladder.say(step, True, f"STS gives the role: {identity.arn}")
    except UsageError:
        raise
    except S3HaulError as error:
        ladder.say(step, False, error.message)
        ladder.see(refused=Trouble.of(error))
        if step is Step.ROLE and role is not None and error.id in _REFUSED_ROLE:
            await _ask_owner(ladder, role)
        return False
    await _try_without_external_id(ladder, role)
    return True


def _note_caller(ladder: Climb, caller: Identity | None, *, clamped: bool) -> None:
    if caller is None:
        ladder.say(Step.CALLER, None, "the server has no STS to say who calls")
        return
    ladder.see(caller_arn=caller.arn, chained=clamped and caller.is_role)
    ladder.say(Step.CALLER, True, f"the source credentials are those of {caller.arn}")


async def _ask_owner(ladder: Climb, role: RoleOptions) -> None:
    """Only the trust policy tells why STS refused: read it where the owner's profile was given."""
    try:
        view = await ladder.probes.trust()
    except S3HaulError as error:
        ladder.say(Step.ROLE, None, f"the trust policy cannot be read: {error.message}")
        return
    if view is None:
        return
    same = view.arn == role.role_arn
    row = row_of_trust(view.policy, ladder.evidence.caller_arn, role) if same else "S3H-STS-07"
    ladder.see(trust_row=row)
    ladder.say(Step.ROLE, None, "the trust policy was read in the owner's account")


async def _try_without_external_id(ladder: Climb, role: RoleOptions | None) -> None:
    if role is None or role.external_id is None:
        return
    needless = await ladder.probes.assumes_without_external_id()
    if needless:
        ladder.see(needless_external_id=True)
        ladder.say(Step.EXTERNAL_ID, True, "the role is also given without the External ID")
    elif needless is False:
        ladder.say(Step.EXTERNAL_ID, True, "without the External ID the role is refused, as it must be")


async def _reach_bucket(ladder: Climb) -> None:
    region = await _find_bucket(ladder)
    fault = ladder.evidence.bucket
    if ladder.evidence.foreign_bucket or (
        fault and (fault.status == 404 or fault.kind is not FaultKind.HTTP)
    ):
        return
    ladder.see(region=region)
    try:
        async with ladder.probes.open_store(region) as reached:
            store = reached.store
            began = ladder.clock()
            page = await _list(ladder, store)
            took = human_duration(ladder.clock() - began)
            text = f"the {reached.transport} transport ({reached.reason}); the first request took {took}"
            ladder.say(Step.NETWORK, True, text)
            if page is None:
                await _explain_listing(ladder, store, region)
            elif page.entries:
                await _read(ladder, store, page)
                await _explain_reading(ladder, region)
            else:
                ladder.say(Step.READ, None, "nothing is there to read")
    except StoreError as error:
        ladder.say(Step.LISTING, False, "a further page of the listing is refused")
        ladder.see(listing=error.fault)


async def _find_bucket(ladder: Climb) -> str:
    """The bucket's region, "" where the server does not tell."""
    try:
        region = await ladder.patience.ask(Asked.BUCKET, ladder.probes.head_bucket)
    except StoreError as error:
        fault = error.fault
    else:
        ladder.say(Step.BUCKET, True, f"the bucket exists{f', in {region}' if region else ''}")
        return region
    ladder.see(bucket=fault)
    if fault.status == 403 and ladder.source.expected_bucket_owner and await _is_foreign(ladder):
        ladder.see(foreign_bucket=True)
        ladder.say(Step.BUCKET, False, f"its owner is not {ladder.source.expected_bucket_owner}")
    else:
        ladder.say(Step.BUCKET, None, f"HEAD says {fault.status or fault.message}, without a reason")
    return fault.region


async def _is_foreign(ladder: Climb) -> bool:
    try:
        await ladder.probes.head_bucket(owner=False)
    except StoreError:
        return False
    return True


async def _list(ladder: Climb, store: ObjectStore) -> ListPage | None:
    """The first page, or the one object; None where that is refused."""
    source = ladder.source
    if not source.recursive:
        return await first_object(ladder.patience, store, source.prefix)
    try:
        page = await ladder.patience.ask(Asked.LISTING, lambda: store.list_page(source.prefix))
    except StoreError as error:
        ladder.see(listing=error.fault)
        ladder.say(Step.LISTING, False, f"s3:ListBucket at {source.prefix or 'the root'} is refused")
        return None
    ladder.see(bucket=None)
    more = " at least" if page.truncated else ""
    ladder.say(Step.LISTING, True, f"s3:ListBucket is allowed:{more} {len(page.entries)} objects")
    return page


async def _explain_listing(ladder: Climb, store: ObjectStore, region: str) -> None:
    """Other ways to ask, which tell a condition or the requester's payment from a missing right."""
    fault = ladder.evidence.listing
    if fault is None or row_of(fault, Asked.LISTING) != "S3H-S3-02":
        return
    prefix = ladder.source.prefix
    await _offer_to_pay(ladder, region, fault)
    if ladder.evidence.requester_pays:
        return
    parts = prefix.split("/")[:-1]
    ancestors = ["/".join(parts[:depth]) + "/" if depth else "" for depth in range(len(parts))]
    for other in dict.fromkeys([*ladder.candidates, *ancestors]):
        if other != prefix and await _may_list(store, other):
            ladder.see(listable=other)
            ladder.say(Step.LISTING, None, f"but s3:ListBucket at {other or 'the root'} is allowed")
            return


async def _offer_to_pay(ladder: Climb, region: str, fault: Fault) -> None:
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
    ladder.see(requester_pays=True)


async def _explain_reading(ladder: Climb, region: str) -> None:
    faults = [one.read for one in ladder.evidence.samples]
    if not ladder.source.recursive and (fault := faults[0]) and fault.status == 403:
        await _offer_to_pay(ladder, region, fault)


async def _may_list(store: ObjectStore, prefix: str) -> bool:
    try:
        await store.list_page(prefix)
    except StoreError:
        return False
    return True


async def _read(ladder: Climb, store: ObjectStore, page: ListPage) -> None:
    """One object step by step, then a sample of all."""
    listed, complete = await spread_keys(ladder.patience, store, ladder.source, page)
    ladder.listed = listed
    await _read_one(ladder, store, listed)
    chosen = choose(listed, ladder.suspects, ladder.sample_size)
    samples = await ask_for(ladder.patience, store, ladder.probes, chosen)
    ladder.see(samples=samples, complete=complete and len(samples) == len(listed))
    readable = [one for one in samples if one.read is None and not one.archived]
    kind = "objects" if ladder.evidence.complete else "sampled objects"
    text = f"{len(readable)} of {len(samples)} {kind} can be read"
    ladder.say(Step.SAMPLE, len(readable) == len(samples), text, tuple(map(str, grouped(samples))))


async def _read_one(ladder: Climb, store: ObjectStore, listed: Sequence[ObjectRef]) -> None:
    ref = next((one for one in listed if one.size), listed[0])
    size = human_bytes(ref.size)
    steps = (
        (Step.HEAD, False, "s3:GetObject is allowed"),
        (Step.CHECKSUM, True, "its checksum is told, so kms:Decrypt is allowed"),
    )
    for step, checksums, proof in steps:
        fault = await _head(ladder, store, ref.key, checksums=checksums)
        if fault is None:
            ladder.say(step, True, f"{proof} ({ref.key}, {size})")
        else:
            ladder.say(step, False, f"HEAD{' for its checksum' if checksums else ''} of {ref.key} is refused")
            return


async def _head(ladder: Climb, store: ObjectStore, key: str, *, checksums: bool) -> Fault | None:
    try:
        await ladder.patience.ask(Asked.OBJECT, lambda: store.head(key, checksums=checksums))
    except StoreError as error:
        return error.fault
    return None
