"""The first links: configuration, caller, role. What tells apart the reasons why STS refuses a role."""

from dataclasses import replace

from s3haul.diagnose.evidence import ErrorSummary, Step
from s3haul.diagnose.trust import trust_diagnosis_id
from s3haul.errors import S3HaulError, UsageError
from s3haul.options import RoleOptions
from s3haul.preflight.state import CheckState
from s3haul.probes import Identity

CHAINED_SESSION = 3600  # seconds; longer ones are clamped where the caller is a role
_UNTOLD = "S3H-STS-03"


async def reach_role(ladder: CheckState) -> bool:
    """Configuration, caller, role. False where one of them breaks. Raises `UsageError`."""
    step = Step.CONFIGURATION
    role: RoleOptions | None = None
    try:
        configuration = ladder.probes.configuration()
        role = configuration.role
        ladder.evidence = replace(
            ladder.evidence, keys_win=configuration.keys_win, role_arn=role.role_arn if role else ""
        )
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
        ladder.evidence = replace(ladder.evidence, refused=ErrorSummary.of(error))
        if step is Step.ROLE and role is not None and error.id == _UNTOLD:
            await _ask_owner(ladder, role)
        return False
    await _try_without_external_id(ladder, role)
    return True


def _note_caller(ladder: CheckState, caller: Identity | None, *, clamped: bool) -> None:
    if caller is None:
        ladder.say(Step.CALLER, None, "the server has no STS to say who calls")
        return
    ladder.evidence = replace(ladder.evidence, caller_arn=caller.arn, chained=clamped and caller.is_role)
    ladder.say(Step.CALLER, True, f"the source credentials are those of {caller.arn}")


async def _ask_owner(ladder: CheckState, role: RoleOptions) -> None:
    """Only the trust policy tells why STS refused: read it where the owner's profile was given."""
    try:
        view = await ladder.probes.trust()
    except S3HaulError as error:
        ladder.say(Step.ROLE, None, f"the trust policy cannot be read: {error.message}")
        return
    if view is None:
        return
    same = view.arn == role.role_arn
    row = trust_diagnosis_id(view.policy, ladder.evidence.caller_arn, role) if same else "S3H-STS-07"
    ladder.evidence = replace(ladder.evidence, trust_row=row)
    ladder.say(Step.ROLE, None, "the trust policy was read in the owner's account")


async def _try_without_external_id(ladder: CheckState, role: RoleOptions | None) -> None:
    if role is None or role.external_id is None:
        return
    needless = await ladder.probes.assumes_without_external_id()
    if needless:
        ladder.evidence = replace(ladder.evidence, needless_external_id=True)
        ladder.say(Step.EXTERNAL_ID, True, "the role is also given without the External ID")
    elif needless is False:
        ladder.say(Step.EXTERNAL_ID, True, "without the External ID the role is refused, as it must be")
