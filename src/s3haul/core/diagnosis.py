"""From a failed request to the error that ends the run: what, why, who fixes it, how.

Pure and table-like. The ids are stable: they are printed, documented and never renumbered.
`what` names the operation in the user's terms, for example "list s3://bucket/prefix".
"""

from s3haul.core.retry import about_kms
from s3haul.core.text import human_duration
from s3haul.errors import (
    AccessError,
    CredentialsError,
    DestinationError,
    Fault,
    FaultKind,
    RedirectRefusedError,
    S3HaulError,
    SourceError,
    TlsError,
)

_OTHER_REGION = frozenset(
    {"PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"}
)
_RESUME = "the same command again goes on where this run ended"


def run_error(fault: Fault, what: str) -> S3HaulError:
    """The error for a fault that no retry can mend."""
    match fault.kind:
        case FaultKind.HTTP:
            return _http_error(fault, what)
        case FaultKind.TLS:
            return TlsError(
                f"Cannot {what}: the server's certificate was refused.",
                hint="if a private CA signed it, name that CA with --ca-bundle; names are always checked",
                said=fault.message,
            )
        case FaultKind.REDIRECT:
            place = f" (the bucket is in {fault.region})" if fault.region else ""
            return RedirectRefusedError(
                f"Cannot {what}: the server redirects, and redirects are never followed{place}.",
                hint=f"use --region {fault.region}" if fault.region else "check --endpoint-url and --region",
                said=fault.message,
            )
        case FaultKind.CREDENTIALS:
            return CredentialsError(
                f"Cannot {what}: no usable credentials.",
                hint="log in again, or check --profile",
                said=fault.message,
            )
        case FaultKind.LOCAL:
            return DestinationError(
                f"Cannot {what}: this machine ran out of a resource.",
                hint="raise the open-file limit (ulimit -n) or lower --concurrency",
                said=fault.message,
                id="S3H-DST-08",
            )
        case _:
            return SourceError(
                f"Cannot {what}: the server cannot be reached or does not answer as S3 does.",
                hint=f"check the network and --endpoint-url; {_RESUME}",
                said=fault.message,
                id="S3H-NET-05" if fault.kind is not FaultKind.STALL else "S3H-NET-08",
            )


def _http_error(fault: Fault, what: str) -> S3HaulError:
    said = f"{fault.code or fault.status}: {fault.message}"
    match fault.code:
        case "NoSuchBucket":
            return SourceError(
                f"Cannot {what}: the bucket does not exist.",
                hint="check the bucket's name and the account",
                said=said,
            )
        case "RequestTimeTooSkewed":
            skew = f" by {human_duration(abs(fault.skew))}" if fault.skew else ""
            return AccessError(
                f"Cannot {what}: this machine's clock is off{skew}.",
                hint="set the clock (timedatectl, chrony), then run again",
                said=said,
                id="S3H-NET-01",
            )
        case "SignatureDoesNotMatch":
            return AccessError(
                f"Cannot {what}: the signature does not match.",
                hint="check the secret key; a proxy that rewrites requests also breaks signatures",
                said=said,
                id="S3H-NET-01",
            )
        case "ExpiredToken" | "InvalidToken" | "TokenRefreshRequired" | "InvalidAccessKeyId":
            return CredentialsError(
                f"Cannot {what}: the credentials are expired or unknown.",
                hint=f"log in again (for example aws sso login); {_RESUME}",
                said=said,
                id="S3H-STS-02" if fault.code == "ExpiredToken" else "S3H-STS-01",
            )
    if fault.code in _OTHER_REGION or 300 <= fault.status < 400:
        return SourceError(
            f"Cannot {what}: the bucket is in another region{f', {fault.region}' if fault.region else ''}.",
            hint=f"use --region {fault.region}" if fault.region else "give the bucket's region with --region",
            said=said,
            id="S3H-NET-02",
        )
    if fault.status == 403:
        return _denied(fault, what, said)
    return SourceError(
        f"Cannot {what}: the service refused or failed.",
        hint=f"the service's own words say why; {_RESUME}",
        said=said,
        id="S3H-S3-17",
    )


def _denied(fault: Fault, what: str, said: str) -> AccessError:
    if about_kms(fault.message):
        return AccessError(
            f"Cannot {what}: the role may not decrypt (kms:Decrypt on the objects' key).",
            hint="DATA OWNER: allow kms:Decrypt on the key's ARN in the role's policy, and in the key policy",
            said=said,
            id="S3H-KMS-01",
        )
    if what.startswith("list"):
        return AccessError(
            f"Cannot {what}: the role may not list the bucket (s3:ListBucket).",
            hint="DATA OWNER: allow s3:ListBucket on arn:aws:s3:::BUCKET (the bucket's ARN, not BUCKET/*)",
            said=said,
            id="S3H-S3-02",
        )
    return AccessError(
        f"Cannot {what}: access denied (s3:GetObject).",
        hint="DATA OWNER: allow s3:GetObject on arn:aws:s3:::BUCKET/* in the role's policy",
        said=said,
        id="S3H-S3-04",
    )
