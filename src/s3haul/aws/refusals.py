"""Explains a failed call of STS: the fault of an AssumeRole becomes the error that ends the run. Pure.

Ids and causes are those of the table in `s3haul help errors`. STS sends the same message for most causes, so the hint
lists the likely ones, the most likely first. The External ID is never shown.
"""

import socket
from collections.abc import Sequence
from dataclasses import replace

from botocore.exceptions import ClientError

from s3haul.aws.config.chain import RoleStep
from s3haul.aws.config.profile import Settings
from s3haul.aws.guard import is_refused_setting, refused_setting
from s3haul.diagnose.denial import Denial, parse_denial, which_policy
from s3haul.diagnose.diagnosis import filled
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.diagnose.table import DIAGNOSES
from s3haul.errors import (
    AssumeRoleError,
    CredentialsError,
    Fault,
    FaultKind,
    RedirectRefusedError,
    S3HaulError,
    SourceError,
    TlsError,
)
from s3haul.options import RoleOptions
from s3haul.s3.faults import NO_ADDRESS, causes

_TOLERABLE_SKEW = 60.0
_NO_TLS = "wrong version number"  # what OpenSSL says of an answer that is plain HTTP


def is_chaining_limit(error: ClientError) -> bool:
    """Whether STS refused the duration because the caller is a role itself (role chaining: at most one hour)."""
    said = error.response.get("Error", {})
    return said.get("Code") == "ValidationError" and "role chaining" in said.get("Message", "")


def explain(fault: Fault, error: BaseException, step: RoleStep | None, settings: Settings) -> S3HaulError:
    """The error for a failed call of STS: AssumeRole for `step`, or GetCallerIdentity if `step` is None."""
    said = _redacted(fault.message, step.role) if step else fault.message
    if fault.kind is not FaultKind.HTTP:
        return unreachable("STS", replace(fault, message=said), error, settings.given)
    row = diagnosis_id(fault, RequestKind.ROLE)
    match row:
        case "S3H-STS-02":
            return CredentialsError(
                f"the credentials of {settings.base} have expired", hint=DIAGNOSES[row].fix, said=said, id=row
            )
        case "S3H-STS-01":
            return CredentialsError(
                f"STS does not know the access key of {settings.base}",
                hint=DIAGNOSES[row].fix,
                said=said,
                id=row,
            )
        case "S3H-NET-01":
            return _clock(fault, said)
        case "S3H-STS-15":
            seen = f"HTTP status {fault.status} {fault.code}".strip()
            return AssumeRoleError(DIAGNOSES[row].title, hint=DIAGNOSES[row].fix, seen=seen, id=row)
        case "S3H-NET-05":
            return SourceError("STS cannot serve the request now", hint="run again", said=said, id=row)
    if step is None:
        return AssumeRoleError("STS refused GetCallerIdentity", hint=DIAGNOSES[row].fix, said=said, id=row)
    where = f" of profile {step.profile!r}" if step.profile else ""
    message = f"STS refused the role {step.role.role_arn}{where}"
    return AssumeRoleError(message, hint=_hint(row, step.role, parse_denial(said)), said=said, id=row)


def unreachable(what: str, fault: Fault, error: BaseException, given: Sequence[str] = ()) -> S3HaulError:
    """The error if a service sent no response, or no request was sent to it. `given` as in `guard`."""
    if isinstance(error, S3HaulError):
        return error
    if is_refused_setting(error):
        return refused_setting(error, given)
    kind, seen = fault.kind, fault.message
    if kind is FaultKind.TLS and _NO_TLS in seen:
        hint = (
            "write http:// in its URL if it is yours and on this machine; else look for the port that has TLS"
        )
        return TlsError(f"{what} answered without TLS", hint=hint, seen=seen)
    if kind is FaultKind.TLS:
        hint = "if the server is yours, give its certificate authority with --ca-bundle; else a proxy may intercept TLS"
        return TlsError(f"the certificate of {what} is not trusted", hint=hint, seen=seen)
    if kind is FaultKind.REDIRECT:
        hint = "check --endpoint-url and --region; redirects are refused, so that no other host gets the session token"
        return RedirectRefusedError(f"{what} redirects to another address", hint=hint, seen=seen)
    if kind is FaultKind.INTERCEPTED:
        page = DIAGNOSES["S3H-NET-09"]
        return SourceError(
            f"the response is not from {what}, but from a proxy or filter",
            hint=page.fix,
            seen=seen,
            id="S3H-NET-09",
        )
    if kind is FaultKind.CREDENTIALS:
        return CredentialsError("there are no credentials to sign the request", seen=seen)
    if kind is FaultKind.LOCAL:
        return SourceError("this process has no file descriptor left", hint="raise `ulimit -n`", seen=seen)
    if fault.code == NO_ADDRESS or any(isinstance(one, socket.gaierror) for one in causes(error)):
        hint = "check the host name of the endpoint, the region and the DNS server"
        return SourceError(
            f"the host name of {what} cannot be resolved", hint=hint, seen=seen, id="S3H-NET-04"
        )
    hint = "check the network, the proxy settings and the endpoint"
    return SourceError(f"{what} cannot be reached", hint=hint, seen=seen, id="S3H-NET-05")


def _clock(fault: Fault, said: str) -> S3HaulError:
    if fault.skew is None:
        skew = ""
    elif abs(fault.skew) < _TOLERABLE_SKEW:
        skew = " (the clocks agree)"
    else:
        skew = f" (the server's clock differs from ours by {fault.skew:+.0f} s)"
    return CredentialsError(
        f"STS refused the signature{skew}",
        hint=DIAGNOSES["S3H-NET-01"].fix,
        said=said,
        id="S3H-NET-01",
    )


def _hint(row: str, role: RoleOptions, denial: Denial | None) -> str:
    if row == "S3H-STS-03":
        return _likely_causes(role)
    fix = filled(DIAGNOSES[row].fix, {"ROLE-ARN": role.role_arn}) + which_policy(denial)
    return f"{fix} (asked for: {role.duration_seconds} seconds)" if row == "S3H-STS-10" else fix


def _likely_causes(role: RoleOptions) -> str:
    given = (
        "none was given"
        if role.external_id is None
        else f"one of {len(role.external_id)} characters was given"
    )
    mfa = "" if role.mfa_serial else "; the trust policy requires MFA (S3H-STS-08)"
    return (
        f"likely causes: the External ID is missing or different ({given}; S3H-STS-03); the role's trust policy "
        "does not name you as Principal (S3H-STS-05), or names a user that was deleted and created again "
        f"(S3H-STS-06); the role's name, path or case is wrong (S3H-STS-07){mfa}. "
        "The data owner can see the trust policy"
    )


def _redacted(message: str, role: RoleOptions) -> str:
    if not role.external_id:
        return message
    return message.replace(role.external_id, f"<External ID, {len(role.external_id)} characters>")
