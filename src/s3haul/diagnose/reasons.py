"""Why an object was not copied, and why a run ended: both name an entry of the diagnosis table. Pure.

Reasons are stable slugs, each with a sentence. Journal and manifest contain the slug; summaries print the
sentence. `run_error` makes of a fault the error that ends a run.
"""

import string
from typing import NamedTuple

from s3haul.core.text import human_duration
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, names_in, parse_denial, which_policy
from s3haul.diagnose.table import DIAGNOSES, fill_placeholders
from s3haul.errors import Fault, FaultKind, S3HaulError
from s3haul.policies.buckets import bucket_of

TOLERABLE_SKEW = 60.0  # seconds; S3 takes 15 minutes, so a refusal with less has another cause


class Reason(NamedTuple):
    """`id` is the diagnosis id; `sentence` follows "N objects: "."""

    id: str
    sentence: str

    @property
    def who(self) -> str:
        return DIAGNOSES[self.id].who

    def fix_for(self, url: str, detail: str) -> str:
        """What to do about objects of `url` (s3://...); `detail` is the message about one of them."""
        values = {"BUCKET": bucket_of(url), **names_in(detail)}
        return fill_placeholders(DIAGNOSES[self.id].fix, values)


DAMAGED = "damaged"
DENIED = frozenset({"access-denied", "kms-access-denied"})
REFUSED = DENIED | {"kms-key-unusable", "signature-refused"}  # may concern all objects, not only this one
UNEXPLAINED = DENIED | {"request-refused"}  # one such response is not enough to find the cause

REASONS: dict[str, Reason] = {
    "access-denied": Reason("S3H-S3-04", "S3 refused to read the object"),
    "kms-access-denied": Reason("S3H-KMS-01", "the role may not decrypt the object"),
    "signature-refused": Reason(
        "S3H-NET-01", "S3 refused the signature of this request only: a proxy may change the key in the URL"
    ),
    "kms-key-unusable": Reason(
        "S3H-KMS-07", "the object's KMS key is disabled, scheduled for deletion, or deleted"
    ),
    "insecure-request": Reason("S3H-NET-03", "KMS-encrypted objects need https and signature version 4"),
    "requester-pays": Reason("S3H-S3-09", "the bucket is a Requester Pays bucket"),
    "archived": Reason("S3H-S3-10", "the object is archived"),
    "not-found": Reason("S3H-S3-16", "the object was deleted after it was listed"),
    "vanished": Reason("S3H-S3-16", "the list names objects that are no longer in the bucket"),
    "changed": Reason("S3H-S3-12", "the object kept changing while it was fetched"),
    "checksum-mismatch": Reason("S3H-INT-01", "the bytes received do not match the checksum that S3 stores"),
    "no-checksum": Reason(
        "S3H-INT-02", "S3 stores no checksum that can be verified, and --require-checksum is given"
    ),
    "wrong-answer": Reason(
        "S3H-INT-03", "the server's responses do not match the request (status, length, range or ETag)"
    ),
    DAMAGED: Reason("S3H-INT-05", "`s3haul verify` found that the file is no longer what was downloaded"),
    "unusable-entry": Reason(
        "S3H-INT-04", "in the listing, its key is not valid UTF-8, or its size is unusable"
    ),
    "wrong-encryption": Reason(
        "S3H-KMS-09", "the object does not have the encryption that --sse or --sse-kms-key-id demands"
    ),
    "throttled": Reason("S3H-S3-11", "S3 or KMS throttled all attempts"),
    "server-error": Reason("S3H-S3-17", "S3 had errors in all attempts"),
    "network": Reason("S3H-NET-05", "the connection failed in all attempts"),
    "stalled": Reason("S3H-NET-08", "the transfer kept stalling"),
    "redirected": Reason(
        "S3H-NET-07", "the server redirects to another address; redirects are never followed"
    ),
    "intercepted": Reason("S3H-NET-09", "the response is a web page of a proxy or filter, not from S3"),
    "credentials": Reason("S3H-STS-02", "the credentials were refused even after a refresh"),
    "machine-limit": Reason("S3H-DST-08", "this process has too few file descriptors, or too little memory"),
    "request-refused": Reason("S3H-S3-18", "S3 refused the request"),
    "unstorable-name": Reason(
        "S3H-DST-05", "this file system cannot store the key's name or the object's size"
    ),
    "path-in-the-way": Reason(
        "S3H-DST-06", "something that s3haul did not create is at the path of the file"
    ),
    "path-taken": Reason("S3H-DST-14", "its path has the file of an object that an earlier run copied here"),
    "file-refused": Reason("S3H-DST-09", "the file system did not accept the file"),
    "kept-existing": Reason("S3H-DST-07", "a different file is at its path, and --existing skip is given"),
}


class Purpose(NamedTuple):
    """The purpose of a request: a verb and a URL for messages, and the kind of request."""

    verb: str
    url: str
    request: RequestKind


def listing_of(url: str) -> Purpose:
    return Purpose("list", url, RequestKind.LISTING)


def versions_of(url: str) -> Purpose:
    return Purpose("list the versions of", url, RequestKind.VERSIONS)


def reading_of(url: str) -> Purpose:
    return Purpose("read", url, RequestKind.OBJECT)


def run_error(fault: Fault, purpose: Purpose, *, waited: float = 0.0) -> S3HaulError:
    """The error for a fault that is not retried, or that retries within `waited` seconds did not solve."""
    row = diagnosis_id(fault, purpose.request)
    page = DIAGNOSES[row]
    answered = fault.kind is FaultKind.HTTP
    title = _within_a_sentence(page.title.removesuffix("."))
    hint = fill_placeholders(
        page.fix, {"BUCKET": bucket_of(purpose.url), **names_in(fault.message, fault.region)}
    )
    if waited:
        hint += f" No request succeeded for {human_duration(waited)}; the same command resumes."
    return page.error(
        f"Cannot {purpose.verb} {purpose.url}: {title}{_detail(fault)}.",
        hint=hint + which_policy(parse_denial(fault.message)),
        said=f"{fault.code or fault.status}: {fault.message}" if answered else None,
        seen=None if answered else fault.message,
        id=row,
    )


def _within_a_sentence(title: str) -> str:
    """With a small letter, unless it begins with a name (S3, KMS)."""
    return title[:1].lower() + title[1:] if title[1:2] in {" ", *string.ascii_lowercase} else title


def _detail(fault: Fault) -> str:
    if fault.skew and abs(fault.skew) > TOLERABLE_SKEW and fault.code == "RequestTimeTooSkewed":
        return f" (the clock of this machine is wrong by {human_duration(abs(fault.skew))})"
    return f" (the bucket is in {fault.region})" if 300 <= fault.status < 400 and fault.region else ""
