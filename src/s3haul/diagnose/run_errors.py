"""Creates the error that ends a run from a fault: what failed, why, and what to do. Pure.

`symptoms` finds the row of the diagnosis table, `table` has its text; the class of the error has the exit code of the
row.
"""

import string
from typing import NamedTuple

from s3haul.core.text import human_duration
from s3haul.diagnose.denial import parse_denial, which_policy
from s3haul.diagnose.diagnosis import exit_code
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id
from s3haul.diagnose.table import DIAGNOSES
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
    UsageError,
)

_CLASSES: dict[str, type[S3HaulError]] = {
    "S3H-STS-01": CredentialsError,
    "S3H-STS-02": CredentialsError,
    "S3H-CFG-05": CredentialsError,
    "S3H-NET-06": TlsError,
    "S3H-NET-07": RedirectRefusedError,
}
_BY_EXIT_CODE: dict[int, type[S3HaulError]] = {
    2: UsageError,
    4: AccessError,
    5: DestinationError,
    6: SourceError,
}


class Purpose(NamedTuple):
    """The purpose of a request: a verb and a URL for messages, and the kind of request."""

    verb: str
    url: str
    asked: RequestKind


def listing_of(url: str) -> Purpose:
    return Purpose("list", url, RequestKind.LISTING)


def reading_of(url: str) -> Purpose:
    return Purpose("read", url, RequestKind.OBJECT)


def run_error(fault: Fault, purpose: Purpose, *, waited: float = 0.0) -> S3HaulError:
    """The error for a fault that is not retried, or that retries within `waited` seconds did not solve."""
    row = diagnosis_id(fault, purpose.asked)
    answered = fault.kind is FaultKind.HTTP
    title = _within_a_sentence(DIAGNOSES[row].title.removesuffix("."))
    elsewhere = row in {"S3H-NET-02", "S3H-NET-07"}
    hint = f"Use --region {fault.region}." if fault.region and elsewhere else DIAGNOSES[row].fix
    if waited:
        hint += f" No request succeeded for {human_duration(waited)}; the same command resumes."
    return error_of(row)(
        f"Cannot {purpose.verb} {purpose.url}: {title}{_detail(fault)}.",
        hint=hint + which_policy(parse_denial(fault.message)),
        said=f"{fault.code or fault.status}: {fault.message}" if answered else None,
        seen=None if answered else fault.message,
        id=row,
    )


def error_of(row: str) -> type[S3HaulError]:
    """The class of errors with the exit code of this row."""
    return _CLASSES.get(row) or _BY_EXIT_CODE[exit_code(row)]


def _within_a_sentence(title: str) -> str:
    """With a small letter, unless it begins with a name (S3, KMS)."""
    return title[:1].lower() + title[1:] if title[1:2] in {" ", *string.ascii_lowercase} else title


def _detail(fault: Fault) -> str:
    if fault.skew and fault.code == "RequestTimeTooSkewed":
        return f" (the clock of this machine is wrong by {human_duration(abs(fault.skew))})"
    return f" (the bucket is in {fault.region})" if 300 <= fault.status < 400 and fault.region else ""
