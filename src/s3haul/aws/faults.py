"""Maps exceptions of botocore and of the operating system to `errors.Fault`, and explains them as errors of the run.

The only module that classifies botocore's exceptions; `s3.faults` has what needs no SDK. Retries are decided in
`core.retry`. The mapping uses types, codes and errno, never substrings of messages. STS sends the same message for most
causes of a refused role, so that hint lists the likely ones, the most likely first. The External ID is never shown.
"""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from s3haul.aws.chain import RoleStep
from s3haul.aws.http_client import NoResponse, RedirectRefused, TransientNoResponse
from s3haul.aws.sdk_settings import INVALID
from s3haul.aws.settings import Settings
from s3haul.diagnose.reasons import TOLERABLE_SKEW
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, parse_denial, which_policy
from s3haul.diagnose.table import DIAGNOSES, fill_placeholders
from s3haul.errors import (
    AssumeRoleError,
    CredentialsError,
    Fault,
    FaultKind,
    S3HaulError,
    SourceError,
    UsageError,
)
from s3haul.options import RoleOptions
from s3haul.s3.faults import (
    CUT,
    NO_ADDRESS,
    causes,
    kind_of_causes,
    out_of_descriptors,
    own_fault,
    redirect_fault,
    service_fault,
)

_NO_TLS = "wrong version number"  # OpenSSL's message if the server sends plain HTTP

# What an SDK call may raise for external reasons. ValueError: a field of the response cannot be parsed.
BOTO_ERRORS = (BotoCoreError, ClientError, ResponseParserError, OSError, ValueError, S3HaulError)

_NO_CREDENTIALS = (
    *(boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
    *(boto.MetadataRetrievalError, boto.SSOError, boto.TokenRetrievalError),
)
_CUT_OFF = (boto.ConnectionClosedError, boto.ResponseStreamingError, boto.IncompleteReadError)
_KINDS: tuple[tuple[tuple[type[BaseException], ...], FaultKind], ...] = (
    (_NO_CREDENTIALS, FaultKind.CREDENTIALS),
    (
        (boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.EndpointConnectionError, socket.gaierror),
        FaultKind.CONNECT,
    ),
    ((boto.ReadTimeoutError, TimeoutError), FaultKind.STALL),
    ((*_CUT_OFF, OSError), FaultKind.BROKEN),
)
# What botocore raises about servers, responses and credentials. Anything else is about settings and parameters.
_NOT_ABOUT_SETTINGS = (
    *(NoResponse, RedirectRefused, boto.HTTPClientError, boto.ConnectionError, boto.ChecksumError),
    *_CUT_OFF,
    *_NO_CREDENTIALS,
)


def translate(error: BaseException, *, now: float | None = None) -> Fault:
    """The fault of a failed call. `now` is our time in epoch seconds, to compute the clock skew."""
    if isinstance(error, ClientError):
        return _answered(error, time.time() if now is None else now)
    if isinstance(error, RedirectRefused):
        return redirect_fault(**error.kwargs)
    if isinstance(error, NoResponse | TransientNoResponse):
        fault: Fault = error.kwargs["fault"]
        return fault
    if isinstance(error, S3HaulError):
        return own_fault(error)
    return Fault(_kind(error), str(error) or type(error).__name__)


def _kind(error: BaseException) -> FaultKind:
    kind_of_cause = kind_of_causes(error)
    if kind_of_cause is not None:
        return kind_of_cause
    if isinstance(error, boto.SSLError):
        return handshake_kind(error)
    kind = next((kind for types, kind in _KINDS if isinstance(error, types)), FaultKind.PROTOCOL)
    if kind in {FaultKind.CONNECT, FaultKind.STALL} and out_of_descriptors():
        return FaultKind.LOCAL
    return kind


def handshake_kind(error: BaseException) -> FaultKind:
    """A handshake that was refused is a TLS error; one that was only cut off is a connection error."""
    return FaultKind.CONNECT if any(isinstance(one, CUT) for one in causes(error)) else FaultKind.TLS


def _answered(error: ClientError, now: float) -> Fault:
    said: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    headers: Mapping[str, str] = metadata.get("HTTPHeaders", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    return service_fault(status, headers, said, now, request_id=str(metadata.get("RequestId") or ""))


@contextmanager
def settings_errors(given: Sequence[str] = ()) -> Iterator[None]:
    """Raise `UsageError` for settings that botocore cannot use. For code that sends nothing.

    `given` are the settings that may be the cause, with their locations."""
    try:
        yield
    except S3HaulError:
        raise
    except (BotoCoreError, ValueError, OSError) as error:
        raise settings_error(error, given) from error


def is_settings_error(error: BaseException) -> bool:
    """Whether a call failed because botocore could not build the request."""
    return isinstance(error, BotoCoreError) and not isinstance(error, _NOT_ABOUT_SETTINGS)


def settings_error(error: BaseException, given: Sequence[str] = ()) -> UsageError:
    """The error to raise. It may quote botocore's message: botocore quotes no setting that may be secret."""
    named = f"check the source, and these settings: {', '.join(given)}"
    seen = " ".join(str(error).split()) or type(error).__name__
    hint = named if given else "s3haul check shows the settings"
    return UsageError("a setting or a name cannot be used", hint=hint, seen=seen, id=INVALID)


def is_chaining_limit(error: ClientError) -> bool:
    """Whether STS refused the duration because the caller is a role itself (role chaining: at most one hour)."""
    said = error.response.get("Error", {})
    return said.get("Code") == "ValidationError" and "role chaining" in said.get("Message", "")


def sts_error(fault: Fault, error: BaseException, step: RoleStep | None, settings: Settings) -> S3HaulError:
    """The error for a failed call of STS: AssumeRole for `step`, or GetCallerIdentity if `step` is None."""
    said: str | None = _redacted(fault.message, step.role) if step else fault.message
    if fault.kind is not FaultKind.HTTP:
        return unreachable("STS", replace(fault, message=said or ""), error, settings.given)
    row = diagnosis_id(fault, RequestKind.ROLE)
    kind: type[S3HaulError] = AssumeRoleError
    hint, seen = DIAGNOSES[row].fix, None
    match row:
        case "S3H-STS-02":
            kind, message = CredentialsError, f"the credentials of {settings.base} have expired"
        case "S3H-STS-01":
            kind, message = CredentialsError, f"STS does not know the access key of {settings.base}"
        case "S3H-NET-01":
            kind, message = CredentialsError, f"STS refused the signature{_skew(fault)}"
        case "S3H-NET-05":
            kind, message, hint = SourceError, "STS cannot serve the request now", "run again"
        case "S3H-STS-15":
            message, said = DIAGNOSES[row].title, None
            seen = f"HTTP status {fault.status} {fault.code}".strip()
        case _ if step is None:
            message = "STS refused GetCallerIdentity"
        case _:
            where = f" of profile {step.profile!r}" if step.profile else ""
            message = f"STS refused the role {step.role.role_arn}{where}"
            hint = _role_hint(row, step.role, fault.message)
    return kind(message, hint=hint, said=said, seen=seen, id=row)


def is_answer(fault: Fault) -> bool:
    """Whether the service itself responded, if only with the region of the bucket."""
    return fault.kind is FaultKind.HTTP or fault.code == "PermanentRedirect"


def unreachable(what: str, fault: Fault, error: BaseException, given: Sequence[str] = ()) -> S3HaulError:
    """The error if a service sent no response, or no request was sent to it. `given` as in `settings_errors`."""
    if isinstance(error, S3HaulError):
        return error
    if is_settings_error(error):
        return settings_error(error, given)
    row = diagnosis_id(fault, RequestKind.ROLE)
    hint: str | None = None
    match fault.kind:
        case FaultKind.TLS if _NO_TLS in fault.message:
            message = f"{what} does not use TLS"
            hint = "write http:// in its URL if it is yours and on this machine; else look for the port that has TLS"
        case FaultKind.TLS:
            message = f"the certificate of {what} is not trusted"
            hint = "if the server is yours, give its certificate authority with --ca-bundle; else a proxy may intercept TLS"
        case FaultKind.REDIRECT:
            row, message = "S3H-NET-07", f"{what} redirects to another address"
            hint = "check --endpoint-url and --region; redirects are refused, so that no other host gets the session token"
        case FaultKind.INTERCEPTED:
            message, hint = f"the response is not from {what}, but from a proxy or filter", DIAGNOSES[row].fix
        case FaultKind.CREDENTIALS:
            row, message = "S3H-CFG-05", "there are no credentials to sign the request"
        case FaultKind.LOCAL:
            message, hint = "this process has no file descriptor left", "raise `ulimit -n`"
        case _ if fault.code == NO_ADDRESS or any(isinstance(one, socket.gaierror) for one in causes(error)):
            row, message = "S3H-NET-04", f"the host name of {what} cannot be resolved"
            hint = "check the host name of the endpoint, the region and the DNS server"
        case _:
            row, message = "S3H-NET-05", f"{what} cannot be reached"
            hint = "check the network, the proxy settings and the endpoint"
    return DIAGNOSES[row].error(message, hint=hint, seen=fault.message, id=row)


def _skew(fault: Fault) -> str:
    if fault.skew is None:
        return ""
    if abs(fault.skew) < TOLERABLE_SKEW:
        return " (the clocks agree)"
    return f" (the server's clock differs from ours by {fault.skew:+.0f} s)"


def _role_hint(row: str, role: RoleOptions, message: str) -> str:
    if row == "S3H-STS-03":
        return _likely_causes(role)
    fix = fill_placeholders(DIAGNOSES[row].fix, {"ROLE-ARN": role.role_arn})
    fix += which_policy(parse_denial(message))
    return f"{fix} (requested: {role.duration_seconds} seconds)" if row == "S3H-STS-10" else fix


def _likely_causes(role: RoleOptions) -> str:
    length = f"one of {len(role.external_id or '')} characters was given"
    given = "none was given" if role.external_id is None else length
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
