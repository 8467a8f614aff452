"""The steps of a check, in the order of access, until one fails; then requests that help to find the cause.

Configuration, caller, role, bucket, listing, destination; `objects` reads objects. Each step is reported at
once. Only the order is decided here; `diagnose.causes` examines the evidence.
"""

import resource
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace

from s3haul.aws.sts import CHAINED_DURATION
from s3haul.core.estimates import SpaceEstimate
from s3haul.core.keypath import safe_path
from s3haul.core.text import human_bytes, human_duration
from s3haul.diagnose.evidence import ErrorSummary, Step, StepResult
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, parse_denial
from s3haul.disk import Tree
from s3haul.disk.probe import LONGEST_NAME, Trial, try_out
from s3haul.errors import DestinationError, Fault, S3HaulError, SourceError, StoreError, UsageError
from s3haul.models import ListPage, ObjectRef
from s3haul.options import DestinationOptions, RoleOptions
from s3haul.policies.lint_trust import trust_diagnosis_id
from s3haul.preflight.objects import first_object, read_objects
from s3haul.preflight.state import CheckState
from s3haul.store.protocol import HeadRequest, ObjectStore

_CAUSE_UNKNOWN = "S3H-STS-03"
FEWEST_FILES = 256


async def take_steps(state: CheckState) -> None:
    """Take all steps that are possible. Raises `UsageError`."""
    if await _reach_role(state):
        await _reach_bucket(state)


async def _reach_role(state: CheckState) -> bool:
    """Configuration, caller, role. False if one of them fails. Raises `UsageError`."""
    step = Step.CONFIGURATION
    role: RoleOptions | None = None
    try:
        configuration = state.probes.configuration()
        role = configuration.role
        state.evidence = replace(
            state.evidence,
            keys_override_profile=configuration.keys_override_profile,
            role_arn=role.role_arn if role else "",
        )
        shown = tuple(f"{name} {value} ({origin})" for name, value, origin in configuration.settings)
        state.say(step, True, "the effective settings are", shown)
        step = Step.CALLER
        caller = await state.probes.caller()
        _note_caller(state, caller, clamped=role is not None and role.duration_seconds > CHAINED_DURATION)
        step = Step.ROLE
        session = await state.probes.assume()
        if session is None:
            state.say(step, None, "no role is configured: the bucket is read with the source credentials")
        else:
            state.say(step, True, f"the role was assumed: {session}")
    # A DestinationError is one of stdout, to which the steps are reported.
    except (UsageError, DestinationError):
        raise
    except S3HaulError as error:
        state.say(step, False, error.message)
        state.evidence = replace(state.evidence, refused=ErrorSummary.of(error))
        if step is Step.ROLE and role is not None and error.id == _CAUSE_UNKNOWN:
            await _read_trust_policy(state, role)
        return False
    await _try_without_external_id(state, role)
    return True


def _note_caller(state: CheckState, caller: str | None, *, clamped: bool) -> None:
    if caller is None:
        state.say(Step.CALLER, None, "the server has no STS, so the identity is unknown")
        return
    state.evidence = replace(
        state.evidence, caller_arn=caller, chained=clamped and ":assumed-role/" in caller
    )
    state.say(Step.CALLER, True, f"the source credentials are those of {caller}")


async def _read_trust_policy(state: CheckState, role: RoleOptions) -> None:
    """Find the cause in the trust policy, if --owner-profile allows to read it: STS does not say it."""
    try:
        view = await state.probes.trust()
    except S3HaulError as error:
        state.say(Step.ROLE, None, f"the trust policy cannot be read: {error.message}")
        return
    if view is None:
        return
    same = view.arn == role.role_arn
    row = trust_diagnosis_id(view.policy, state.evidence.caller_arn, role) if same else "S3H-STS-07"
    state.evidence = replace(state.evidence, trust_row=row)
    state.say(Step.ROLE, None, "the trust policy was read in the owner's account")


async def _try_without_external_id(state: CheckState, role: RoleOptions | None) -> None:
    if role is None or role.external_id is None:
        return
    needless = await state.probes.assumes_without_external_id()
    if needless:
        state.evidence = replace(state.evidence, needless_external_id=True)
        state.say(Step.EXTERNAL_ID, True, "the role can also be assumed without the External ID")
    elif needless is False:
        state.say(Step.EXTERNAL_ID, True, "without the External ID, STS refuses the role, as it should")


async def _reach_bucket(state: CheckState) -> None:
    """All steps from the bucket to the objects, until one fails.
    Raises `UsageError` for an unsuitable transport."""
    try:
        region = await _find_bucket(state)
    except SourceError as error:
        state.say(Step.BUCKET, False, error.message)
        state.evidence = replace(state.evidence, refused=ErrorSummary.of(error))
        return
    fault = state.evidence.bucket
    if state.evidence.foreign_bucket or (fault and fault.status == 404):
        return
    try:
        async with state.probes.open_store(region) as bucket:
            store = bucket.store
            began = time.monotonic()
            page = await _list(state, store)
            if page is None:
                await _explain_listing(state, store, region)
                return
            took = human_duration(time.monotonic() - began)
            text = f"the {bucket.choice.transport} transport ({bucket.choice.reason}); the first request took {took}"
            state.say(Step.NETWORK, True, text)
            if page.entries:
                await read_objects(state, store, page)
                await _explain_reading(state, region)
            else:
                state.say(Step.READ, None, "the first page of the listing is empty: there is nothing to read")
    except StoreError as error:
        state.say(Step.LISTING, False, "a later page of the listing is refused")
        state.evidence = replace(state.evidence, listing=error.fault)


async def _find_bucket(state: CheckState) -> str:
    """The bucket's region, "" if unknown. Raises `SourceError` if there is no response."""
    try:
        region = await state.retried(RequestKind.BUCKET, state.probes.head_bucket)
    except StoreError as error:
        fault = error.fault
    else:
        state.say(Step.BUCKET, True, f"the bucket exists{f', in {region}' if region else ''}")
        return region
    state.evidence = replace(state.evidence, bucket=fault)
    if fault.status == 403 and state.source.expected_bucket_owner and await _is_foreign(state):
        state.evidence = replace(state.evidence, foreign_bucket=True)
        state.say(Step.BUCKET, False, f"its owner is not {state.source.expected_bucket_owner}")
    elif fault.status in {400, 403}:
        state.say(Step.BUCKET, None, f"HEAD fails with status {fault.status}, without a reason")
    else:
        state.say(Step.BUCKET, False, f"HEAD fails: {fault.message or fault.status}")
    return fault.region


async def _is_foreign(state: CheckState) -> bool:
    try:
        await state.probes.head_bucket(owner=False)
    except StoreError:
        return False
    return True


async def _list(state: CheckState, store: ObjectStore) -> ListPage | None:
    """The first page, or the single object; None if that is refused."""
    source = state.source
    if not source.recursive:
        return await first_object(state, store, source.prefix)
    try:
        page = await state.retried(RequestKind.LISTING, lambda: store.list_page(state.prefix))
    except StoreError as error:
        state.evidence = replace(state.evidence, listing=error.fault)
        state.say(Step.LISTING, False, f"s3:ListBucket at {state.prefix or 'the root'} is refused")
        return None
    state.evidence = replace(state.evidence, bucket=None)
    more = " at least" if page.truncated else ""
    state.say(Step.LISTING, True, f"s3:ListBucket is allowed:{more} {len(page.entries)} objects")
    return page


async def _explain_listing(state: CheckState, store: ObjectStore, region: str) -> None:
    """Find the cause of a refused listing: try Requester Pays,
    then other prefixes (for an s3:prefix condition)."""
    fault = state.evidence.listing
    if fault is None or diagnosis_id(fault, RequestKind.LISTING) != "S3H-S3-02":
        return
    prefix = state.prefix
    await _try_requester_pays(state, region, fault)
    if state.evidence.requester_pays:
        return
    parts = prefix.split("/")[:-1]
    ancestors = ["/".join(parts[:depth]) + "/" if depth else "" for depth in range(len(parts))]
    for other in dict.fromkeys([*state.candidates, *ancestors]):
        if other != prefix and await _may_list(store, other):
            state.evidence = replace(state.evidence, listable=other)
            state.say(Step.LISTING, None, f"but s3:ListBucket at {other or 'the root'} is allowed")
            return


async def _may_list(store: ObjectStore, prefix: str) -> bool:
    try:
        await store.list_page(prefix)
    except StoreError:
        return False
    return True


async def _try_requester_pays(state: CheckState, region: str, fault: Fault) -> None:
    """Repeat the request with Requester Pays, if the refusal names no policy."""
    source = state.source
    if source.request_payer is not None or parse_denial(fault.message) is not None:
        return
    async with state.probes.open_store(region, replace(state.source, request_payer="requester")) as bucket:
        paying = bucket.store
        try:
            await (
                paying.list_page(source.prefix)
                if source.recursive
                else paying.head(HeadRequest(source.prefix))
            )
        except StoreError:
            return
    state.evidence = replace(state.evidence, requester_pays=True)


async def _explain_reading(state: CheckState, region: str) -> None:
    faults = [one.read for one in state.evidence.samples]
    if not state.source.recursive and (fault := faults[0]) and fault.status == 403:
        await _try_requester_pays(state, region, fault)


def check_destination(
    where: DestinationOptions, listed: Sequence[ObjectRef], *, base: str, complete: bool
) -> tuple[StepResult, tuple[ErrorSummary, ...]]:
    """Test the destination of a run: the line of the report, and the problems.

    `listed` are the objects that were listed; `complete` if these are all.
    """
    try:
        trial = try_out(where.root, force=where.force)
        missing = _missing(where, listed, base)
    except DestinationError as error:
        return StepResult(Step.DESTINATION, False, error.message), (ErrorSummary.of(error),)
    room = SpaceEstimate(trial.free.bytes, trial.free.inodes)
    room.need(sum(ref.size for ref in missing), len(missing))
    problems = tuple(_problems(where, listed, trial, room))
    text = f"files can be written and renamed in {trial.place}; {human_bytes(trial.free.bytes)} are free"
    if missing:
        text += f", {human_bytes(room.needed_bytes)}{'' if complete else ' or more'} are needed"
    return StepResult(Step.DESTINATION, not problems, text), problems


def _problems(
    where: DestinationOptions, listed: Sequence[ObjectRef], trial: Trial, room: SpaceEstimate
) -> Iterable[ErrorSummary]:
    if warning := room.warning():
        yield ErrorSummary("S3H-DST-02", warning)
    if trial.folds_case and (pairs := _differ_only_in_case(listed)):
        message = f"{where.root} does not distinguish upper and lower case, and {pairs} listed keys differ only in that."
        yield ErrorSummary("S3H-DST-10", message)
    for sentence in trial.limitations:
        yield ErrorSummary("S3H-DST-12", sentence)
    if not trial.takes_long_names:
        yield ErrorSummary("S3H-DST-05", f"{where.root} does not accept names of {LONGEST_NAME} bytes.")
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard != resource.RLIM_INFINITY and hard < FEWEST_FILES:
        yield ErrorSummary("S3H-DST-08", f"This process may open only {hard} files.")


def _missing(where: DestinationOptions, listed: Sequence[ObjectRef], base: str) -> Sequence[ObjectRef]:
    """The objects for which there is no file of the same size yet."""
    if not where.root.is_dir():
        return listed
    with Tree.open(where.root) as tree:
        return [ref for ref in listed if not _exists(tree, where.name, ref, base)]


def _exists(tree: Tree, name: str | None, ref: ObjectRef, base: str) -> bool:
    found = tree.stat(safe_path(name) if name else safe_path(ref.key, base=base))
    return found is not None and found.is_regular and found.size == ref.size


def _differ_only_in_case(listed: Iterable[ObjectRef]) -> int:
    keys = [ref.key for ref in listed]
    return len(keys) - len({key.casefold() for key in keys})
