"""The first steps: configuration, caller, role. Also requests that find out why STS refuses a role."""

from dataclasses import replace

from s3haul.diagnose.evidence import ErrorSummary, Step
from s3haul.diagnose.trust import trust_diagnosis_id
from s3haul.errors import S3HaulError, UsageError
from s3haul.options import RoleOptions
from s3haul.preflight.state import CheckState
from s3haul.probes import Identity

CHAINED_SESSION = 3600  # seconds; AWS allows no longer session if the caller is a role
_CAUSE_UNKNOWN = "S3H-STS-03"


async def reach_role(state: CheckState) -> bool:
    """Configuration, caller, role. False if one of them fails. Raises `UsageError`."""
    step = Step.CONFIGURATION
    role: RoleOptions | None = None
    try:
        configuration = state.probes.configuration()
        role = configuration.role
        state.evidence = replace(
            state.evidence, keys_win=configuration.keys_win, role_arn=role.role_arn if role else ""
        )
        shown = tuple(f"{name} {value} ({origin})" for name, value, origin in configuration.settings)
        state.say(step, True, "the effective settings are", shown)
        step = Step.CALLER
        caller = await state.probes.caller()
        _note_caller(state, caller, clamped=role is not None and role.duration_seconds > CHAINED_SESSION)
        step = Step.ROLE
        identity = await state.probes.assume()
        if identity is None:
            state.say(step, None, "no role is configured: the bucket is read with the source credentials")
        else:
            state.say(step, True, f"the role was assumed: {identity.arn}")
    except UsageError:
        raise
    except S3HaulError as error:
        state.say(step, False, error.message)
        state.evidence = replace(state.evidence, refused=ErrorSummary.of(error))
        if step is Step.ROLE and role is not None and error.id == _CAUSE_UNKNOWN:
            await _ask_owner(state, role)
        return False
    await _try_without_external_id(state, role)
    return True


def _note_caller(state: CheckState, caller: Identity | None, *, clamped: bool) -> None:
    if caller is None:
        state.say(Step.CALLER, None, "the server has no STS, so the identity is unknown")
        return
    state.evidence = replace(state.evidence, caller_arn=caller.arn, chained=clamped and caller.is_role)
    state.say(Step.CALLER, True, f"the source credentials are those of {caller.arn}")


async def _ask_owner(state: CheckState, role: RoleOptions) -> None:
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
