"""Derives the findings of a check from its evidence: rows of the diagnosis table,
and how many objects each affects.

Pure. The steps of access are examined in order. The first one that failed is the finding, because all later
ones fail for the same reason. `symptoms` examines one error response; this module combines several.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from s3haul.diagnose.evidence import ErrorSummary, Evidence, Group, Sample, grouped
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, names_in, parse_denial, which_policy
from s3haul.diagnose.table import BOTH, DIAGNOSES, GUARDS, OWNER, fill_placeholders
from s3haul.errors import Fault, FaultKind
from s3haul.options import SourceOptions
from s3haul.policies.documents import (
    CALLER_SID,
    DECRYPT_SID,
    KEY_SID,
    LIST_SID,
    READ_SID,
    TRUST_SID,
    Grant,
    Statement,
    documents,
)
from s3haul.policies.names import Arn, account_of, principal_of

EXAMPLES = 3


class Level(StrEnum):
    """A note is only information; a warning means that objects are skipped;
    an error means that a run would fail."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that applies, to `affected` of `sampled` objects.
    `complete` if these are all objects there are."""

    id: str
    level: Level
    title: str
    said: str = ""  # the message of AWS
    seen: str = ""  # the message of a library, or of an intermediary
    who: str = ""
    fix: str = ""
    statement: Statement | None = None  # the policy statement that is missing, if that is the cause
    affected: int = 0
    sampled: int = 0
    complete: bool = False
    groups: tuple[Group, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.level is Level.ERROR:
            return DIAGNOSES[self.id].error.exit_code
        return 3 if self.level is Level.WARNING else 0


_LEVELS = {
    "S3H-S3-10": Level.WARNING,
    "S3H-S3-12": Level.WARNING,
    "S3H-S3-14": Level.NOTE,
    "S3H-DST-10": Level.WARNING,
    "S3H-DST-12": Level.NOTE,
}
_KMS_DENIED = frozenset({"S3H-KMS-01", "S3H-KMS-02", "S3H-KMS-03"})
# Rows of what the caller may not do. Without a role, mostly because it should have been assumed.
_MAY_NOT = _KMS_DENIED | {"S3H-S3-02", "S3H-S3-03", "S3H-S3-04"}
_NO_ROLE = (
    "No role is configured, so the requests are those of CALLER-ARN itself. If the data owner has given you a role, name"
    " it with --role-arn, or choose a --profile that has it. Otherwise: "
)
_CANNOT_TELL = frozenset({400, 403})  # of a HEAD, which has no body
# Placeholders, for `s3haul help ID`.
EXAMPLE = Grant(
    role_arn="arn:aws:iam::111111111111:role/EXPORT-ROLE",
    callers=("arn:aws:iam::222222222222:user/USER-B",),
    external_id="EXTERNAL-ID",
    bucket="BUCKET",
    key_arns=("arn:aws:kms:REGION:111111111111:key/KEY-ID",),
)
# The Sid of the statement, for each row.
_SIDS = {
    "S3H-STS-03": TRUST_SID,
    "S3H-STS-04": CALLER_SID,
    "S3H-STS-05": TRUST_SID,
    "S3H-STS-06": TRUST_SID,
    "S3H-STS-13": TRUST_SID,
    "S3H-S3-02": LIST_SID,
    "S3H-S3-03": LIST_SID,
    "S3H-S3-04": READ_SID,
    "S3H-S3-05": LIST_SID,
    "S3H-KMS-01": DECRYPT_SID,
    "S3H-KMS-02": KEY_SID,
    "S3H-KMS-03": KEY_SID,
    "S3H-KMS-05": DECRYPT_SID,
    "S3H-KMS-06": DECRYPT_SID,
}


def find_causes(evidence: Evidence, source: SourceOptions) -> tuple[Finding, ...]:
    """The findings, the cause first and notes last; empty if everything is fine."""
    values = _values(evidence, source.bucket)
    found = tuple(_broken(evidence, values))
    if evidence.keys_override_profile and any(one.level is Level.ERROR for one in found):
        message = found[0].said or found[0].title
        found = (_finding("S3H-CFG-06", {}, said=message),)
    elif not evidence.role_arn:
        found = tuple(_without_role(one, evidence) if one.id in _MAY_NOT else one for one in found)
    return tuple(_with_statements((*found, *_notes(evidence, values)), evidence, source))


def exit_code_of(findings: Iterable[Finding]) -> int:
    """The exit code of a check: that of the worst finding. An access error (4) has precedence."""
    codes = [finding.exit_code for finding in findings]
    return min((code for code in codes if code > 3), default=max(codes, default=0))


def finding_of_error(error: ErrorSummary) -> Finding:
    """A finding for an error that has its own message and hint."""
    page = DIAGNOSES[error.id]
    return Finding(
        id=error.id,
        level=_LEVELS.get(error.id, Level.ERROR),
        title=error.message,
        said=error.said,
        seen=error.seen,
        who=page.who,
        fix=error.hint or page.fix,
    )


def _broken(evidence: Evidence, values: Mapping[str, str]) -> Iterator[Finding]:
    if evidence.refused is not None:
        yield _refused(evidence, evidence.refused, values)
    elif evidence.bucket is not None and (row := _bucket_row(evidence, evidence.bucket)):
        yield _finding(row, values, fault=evidence.bucket)
    elif evidence.requester_pays:
        yield _finding("S3H-S3-09", values, fault=evidence.listing)
    elif evidence.listing is not None:
        yield _finding(_listing_row(evidence, evidence.listing), values, fault=evidence.listing)
    else:
        yield from _objects(evidence, values)


def _refused(evidence: Evidence, error: ErrorSummary, values: Mapping[str, str]) -> Finding:
    if evidence.trust_row and evidence.trust_row != error.id:
        return _finding(evidence.trust_row, values, said=error.said)
    return finding_of_error(error)


def _without_role(finding: Finding, evidence: Evidence) -> Finding:
    caller = fill_placeholders(_NO_ROLE, {"CALLER-ARN": evidence.caller_arn or "the source credentials"})
    return replace(finding, who=BOTH, fix=caller + finding.fix)


def _bucket_row(evidence: Evidence, fault: Fault) -> str:
    """The row of a failed HEAD, or "". A 400 or 403 without a body has many causes:
    then the listing is examined."""
    if evidence.foreign_bucket:
        return "S3H-S3-13"
    if fault.status in _CANNOT_TELL:
        return ""
    return diagnosis_id(fault, RequestKind.BUCKET)


def _listing_row(evidence: Evidence, fault: Fault) -> str:
    row = diagnosis_id(fault, RequestKind.LISTING)
    return "S3H-S3-03" if row == "S3H-S3-02" and evidence.listable is not None else row


def _objects(evidence: Evidence, values: Mapping[str, str]) -> Iterator[Finding]:
    rows: dict[str, list[Sample]] = {}
    fine = [one for one in evidence.samples if one.read is None and not one.archived]
    for sample in evidence.samples:
        if sample not in fine:
            rows.setdefault(_object_row(sample, fine, evidence.role_arn), []).append(sample)
    for row, samples in rows.items():
        keys = ", ".join(sorted({one.kms_key for one in samples} - {""}))
        first = next((one.read for one in samples if one.read is not None), None)
        finding = _finding(row, {**values, "KEY-ARN": keys}, fault=first)
        yield _with_extent(finding, samples, evidence)


def _object_row(sample: Sample, fine: Iterable[Sample], role_arn: str) -> str:
    if sample.read is None:
        return "S3H-S3-10"
    row = diagnosis_id(sample.read, RequestKind.OBJECT)
    if row == "S3H-S3-04" and parse_denial(sample.read.message) is None:
        row = _unexplained_row(sample, fine, role_arn)
    return _kms_row(row, sample, [one for one in fine if one.kms_key]) if row in _KMS_DENIED else row


def _unexplained_row(sample: Sample, fine: Iterable[Sample], role_arn: str) -> str:
    """The row of an "Access Denied" without details. HEAD needs the same S3 permission as GET, but not the
    KMS key: if only GET fails, the key is the cause."""
    if sample.head is None and sample.kms_key:
        return "S3H-KMS-01" if account_of(sample.kms_key) == account_of(role_arn) else "S3H-KMS-03"
    return "S3H-S3-07" if sample.head is not None and _others_own(sample, fine) else "S3H-S3-04"


def _kms_row(row: str, sample: Sample, fine: Iterable[Sample]) -> str:
    """A more exact row, if other objects can be decrypted: those with another key,
    or with (without) a Bucket Key.

    If the key policy refuses, the row stays: it is about that key, whatever other keys there are.
    """
    keys = {one.kms_key for one in fine}
    if not keys or not sample.kms_key:
        return row
    if sample.kms_key not in keys:
        return "S3H-KMS-06" if row == "S3H-KMS-01" else row
    forms = {one.bucket_key for one in fine if one.kms_key == sample.kms_key}
    return row if sample.bucket_key in forms else "S3H-KMS-05"


def _others_own(sample: Sample, fine: Iterable[Sample]) -> bool:
    """Whether no readable object has the owner of this refused one; an unknown owner counts as different."""
    owners = {one.owner for one in fine}
    return bool(owners) and (not sample.owner or sample.owner not in owners)


def _notes(evidence: Evidence, values: Mapping[str, str]) -> Iterator[Finding]:
    if evidence.needless_external_id:
        yield _finding("S3H-STS-13", values, level=Level.NOTE)
    if evidence.chained:
        yield _finding("S3H-STS-11", values, level=Level.NOTE)
    for row in sorted(evidence.throttled):
        yield _finding(row, values, level=Level.NOTE)
    read = [one for one in evidence.samples if not one.archived]
    if read and not any(one.size for one in read):
        yield _with_extent(_finding("S3H-S3-14", values), read, evidence)


def _values(evidence: Evidence, bucket: str) -> dict[str, str]:
    """The values of placeholders; "" if unknown."""
    return {
        "BUCKET": bucket,
        "ROLE-ARN": evidence.role_arn,
        "CALLER-ARN": principal_of(evidence.caller_arn),
        "PREFIX": evidence.listable or ("" if evidence.listable is None else "the root of the bucket"),
    }


def _finding(
    row: str,
    values: Mapping[str, str],
    *,
    fault: Fault | None = None,
    said: str = "",
    level: Level | None = None,
) -> Finding:
    page = DIAGNOSES[row]
    denial = parse_denial(fault.message) if fault else None
    guard = denial.policy if denial is not None and row == "S3H-S3-08" else ""
    who, fix = GUARDS.get(guard, (page.who, page.fix))
    fix, seen = fill_placeholders(fix, values), ""
    if fault is not None:
        fix = fill_placeholders(fix, names_in(fault.message, fault.region)) + which_policy(denial)
        if fault.kind is FaultKind.HTTP:
            said = f"{fault.code or fault.status}: {fault.message}"
        else:
            seen = fault.message
    return Finding(
        id=row,
        level=level or _LEVELS.get(row, Level.ERROR),
        title=f"{page.title.removesuffix('.')} ({guard})." if guard else page.title,
        said=said,
        seen=seen,
        who=_with_account(who, values.get("ROLE-ARN", "")),
        fix=fix,
    )


def _with_account(who: str, role_arn: str) -> str:
    """The data owner's account is that of the role."""
    return f"{who} (account {account_of(role_arn)})" if who == OWNER and role_arn else who


def _with_extent(finding: Finding, samples: list[Sample], evidence: Evidence) -> Finding:
    return replace(
        finding,
        affected=len(samples),
        sampled=len(evidence.samples),
        complete=evidence.complete,
        groups=grouped(samples),
        examples=tuple(one.key for one in samples[:EXAMPLES]),
    )


def statement_of(row: str, grant: Grant) -> Statement | None:
    """The statement that is missing; None for rows that a statement cannot fix."""
    statements = (one for made in documents(grant).values() for one in made["Statement"])
    return next((one for one in statements if one["Sid"] == _SIDS.get(row)), None)


def _with_statements(
    found: Iterable[Finding], evidence: Evidence, source: SourceOptions
) -> Iterator[Finding]:
    """The findings with the statement that is missing, with the real ARNs.
    They are known for a role and a bucket."""
    if not evidence.role_arn or source.bucket.startswith("arn:"):
        yield from found
        return
    keys = {one.kms_key for one in evidence.samples if Arn.parse(one.kms_key)}  # other stores have other ids
    grant = replace(
        EXAMPLE,
        role_arn=evidence.role_arn,
        callers=(principal_of(evidence.caller_arn),) if evidence.caller_arn else EXAMPLE.callers,
        bucket=source.bucket,
        prefix=source.prefix if source.recursive else "",
        key_arns=tuple(sorted(keys)),
        versions=source.at is not None or source.all_versions or source.version_id is not None,
    )
    yield from (replace(one, statement=statement_of(one.id, grant)) for one in found)
