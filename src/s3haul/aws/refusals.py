"""Explains why there are no credentials: STS refuses a role, or the source credentials cannot be fetched. Pure.

Ids and causes are those of the table in `s3haul help errors`. STS sends the same message for most causes, so the hint
lists the likely ones, the most likely first. The External ID is never shown, and of a credential_process only the name
of the program, because its arguments may be secret.
"""

import shlex
import socket
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from botocore.exceptions import ClientError

from s3haul.aws.config.chain import RoleStep
from s3haul.aws.config.settings import Settings
from s3haul.aws.faults import is_settings_error, settings_error
from s3haul.diagnose.diagnosis import fill_placeholders
from s3haul.diagnose.reasons import TOLERABLE_SKEW
from s3haul.diagnose.symptoms import Denial, RequestKind, diagnosis_id, parse_denial, which_policy
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

_NO_TLS = "wrong version number"  # OpenSSL's message if the server sends plain HTTP


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
    """The error if a service sent no response, or no request was sent to it. `given` as in `faults.settings_errors`."""
    if isinstance(error, S3HaulError):
        return error
    if is_settings_error(error):
        return settings_error(error, given)
    kind, seen = fault.kind, fault.message
    if kind is FaultKind.TLS and _NO_TLS in seen:
        hint = (
            "write http:// in its URL if it is yours and on this machine; else look for the port that has TLS"
        )
        return TlsError(f"{what} does not use TLS", hint=hint, seen=seen)
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
    elif abs(fault.skew) < TOLERABLE_SKEW:
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
    fix = fill_placeholders(DIAGNOSES[row].fix, {"ROLE-ARN": role.role_arn}) + which_policy(denial)
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


_DOCUMENT = 'one JSON document and nothing else: {"Version": 1, "AccessKeyId": …, "SecretAccessKey": …}'
_EXPORT = "credential_process = aws configure export-credentials --profile {} --format process"
_ELSEWHERE = {
    "Ec2InstanceMetadata": "this machine needs an instance profile; in a container, IMDSv2 needs a hop limit of 2;"
    " AWS_EC2_METADATA_DISABLED must not be true",
    "EcsContainer": "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or …_FULL_URI is set only in containers of ECS and EKS;"
    " the task needs a task role, the pod a Pod Identity association",
    "Environment": "export AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and AWS_SESSION_TOKEN for temporary keys",
}


class Advice(NamedTuple):
    """`what` is the source, for a message "... cannot be fetched"; `hint` says what to do."""

    what: str
    hint: str


def source_advice(method: str, profile: str, keys: Mapping[str, Any], environ: Mapping[str, str]) -> Advice:
    """For a source that is configured but failed. `keys` are the settings of the profile."""
    match method:
        case "sso":
            named = keys.get("sso_session") or keys.get("sso_start_url") or ""
            hint = f"run: aws sso login --profile {shlex.quote(profile)}, then the same command"
            return Advice(f"the SSO session {named} of profile {profile!r}", hint)
        case "custom-process":
            program = _program(str(keys.get("credential_process", "")))
            hint = f"run its credential_process yourself: it must end with exit code 0 and print {_DOCUMENT}"
            return Advice(f"the credential_process {program} of profile {profile!r}", hint)
        case "assume-role-with-web-identity":
            path = keys.get("web_identity_token_file") or environ.get("AWS_WEB_IDENTITY_TOKEN_FILE", "")
            hint = "the token must exist and be valid, and the role's trust policy must allow its issuer and subject"
            return Advice(f"the role for the web identity token {path}", hint)
        case "container-role":
            return Advice("the container's credentials", _ELSEWHERE["EcsContainer"])
        case "iam-role":
            return Advice("the instance's credentials", _ELSEWHERE["Ec2InstanceMetadata"])
        case "boto-config":
            hint = "complete or remove the section [Credentials] of ~/.boto or /etc/boto.cfg"
            return Advice("the credentials of boto's old file", hint)
        case "env":
            return Advice("the credentials of the environment", _ELSEWHERE["Environment"])
    hint = "the profile needs both aws_access_key_id and aws_secret_access_key"
    return Advice(f"the credentials of profile {profile!r}", hint)


def no_source_hint(credential_source: str | None, profile: str | None, keys: Mapping[str, Any]) -> str:
    """What to do if no provider has credentials."""
    if credential_source:
        return _ELSEWHERE.get(credential_source, "")
    if missing := _missing_of_sso(keys):
        return f"the profile's SSO login needs {' and '.join(missing)}, too"
    if "login_session" in keys:
        way = _EXPORT.format(shlex.quote(profile or "default"))
        return f"sessions of `aws login` are not supported: create another profile with {way}"
    return "log in, or choose a --profile that has credentials"


def _missing_of_sso(keys: Mapping[str, Any]) -> list[str]:
    """What a profile lacks that names an SSO session."""
    if not {"sso_session", "sso_start_url"} & keys.keys():
        return []
    needed = ["sso_account_id", "sso_role_name", *([] if "sso_session" in keys else ["sso_region"])]
    return [name for name in needed if name not in keys]


def _program(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return "(its quotes do not match)"
    return words[0] if words else "(it is empty)"
