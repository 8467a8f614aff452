"""Derives the findings of a check from its evidence: rows of the diagnosis table, and how many objects each affects.

Pure. The steps of access are examined in order. The first one that failed is the finding, because all later ones fail
for the same reason. `symptoms` examines one error response; this module combines several.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from s3haul.diagnose.diagnosis import BOTH, OWNER, exit_code, fill_placeholders
from s3haul.diagnose.evidence import ErrorSummary, Evidence, Group, Sample, grouped
from s3haul.diagnose.symptoms import RequestKind, diagnosis_id, parse_denial, which_policy
from s3haul.diagnose.table import DIAGNOSES
from s3haul.diagnose.table_service import GUARDS
from s3haul.errors import Fault, FaultKind
from s3haul.options import RoleOptions
from s3haul.policies.names import Arn, account_of, principal_of
from s3haul.policies.statements import Clause, clauses, listed, principals

EXAMPLES = 3


class Level(StrEnum):
    """A note is only information; a warning means that objects are skipped; an error means that a run would fail."""

    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A row that applies, to `affected` of `sampled` objects. `complete` if these are all objects there are."""

    id: str
    level: Level
    title: str
    said: str = ""  # the message of AWS
    seen: str = ""  # the message of a library, or of an intermediary
    who: str = ""
    fix: str = ""
    statement: Mapping[str, Any] | None = None  # the policy statement that is missing, if that is the cause
    affected: int = 0
    sampled: int = 0
    complete: bool = False
    groups: tuple[Group, ...] = ()
    examples: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        if self.level is Level.ERROR:
            return exit_code(self.id)
        return 3 if self.level is Level.WARNING else 0


_LEVELS = {
    "S3H-DST-12": Level.NOTE,
    "S3H-S3-10": Level.WARNING,
    "S3H-S3-12": Level.WARNING,
    "S3H-S3-14": Level.NOTE,
    "S3H-DST-10": Level.WARNING,
}
_KMS_DENIED = frozenset({"S3H-KMS-01", "S3H-KMS-02", "S3H-KMS-03"})
# Rows of what the caller may not do. Without a role, mostly because it should have been assumed.
_MAY_NOT = _KMS_DENIED | {"S3H-S3-02", "S3H-S3-03", "S3H-S3-04"}
_NO_ROLE = (
    "No role is configured, so the requests are those of CALLER-ARN itself. If the data owner has given you a role, name"
    " it with --role-arn, or choose a --profile that has it. Otherwise: "
)
_CANNOT_TELL = frozenset({400, 403})  # of a HEAD, which has no body


def find_causes(evidence: Evidence, bucket: str) -> tuple[Finding, ...]:
    """The findings, the cause first and notes last; empty if everything is fine."""
    found = tuple(_broken(evidence, bucket))
    if evidence.keys_win and any(one.level is Level.ERROR for one in found):
        message = found[0].said or found[0].title
        found = (_finding("S3H-CFG-06", {}, said=message),)
    elif not evidence.role_arn:
        found = tuple(_without_role(one, evidence) if one.id in _MAY_NOT else one for one in found)
    return (*found, *_notes(evidence, bucket))


def ending(findings: Iterable[Finding]) -> int:
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


def _broken(evidence: Evidence, bucket: str) -> Iterator[Finding]:
    values = _values(evidence, bucket)
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
    """The row of a failed HEAD, or "". A 400 or 403 without a body has many causes: then the listing is examined."""
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
    """The row of an "Access Denied" without details. HEAD needs the same S3 permission as GET, but not the KMS key: if
    only GET fails, the key is the cause."""
    if sample.head is None and sample.kms_key:
        return "S3H-KMS-01" if account_of(sample.kms_key) == account_of(role_arn) else "S3H-KMS-03"
    return "S3H-S3-07" if sample.head is not None and _others_own(sample, fine) else "S3H-S3-04"


def _kms_row(row: str, sample: Sample, fine: Iterable[Sample]) -> str:
    """A more exact row, if other objects can be decrypted: those with another key, or with (without) a Bucket Key.

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


def _notes(evidence: Evidence, bucket: str) -> Iterator[Finding]:
    values = _values(evidence, bucket)
    if evidence.needless_external_id:
        yield _finding("S3H-STS-13", values, level=Level.NOTE)
    if evidence.chained:
        yield _finding("S3H-STS-11", values, level=Level.NOTE)
    for row in sorted(evidence.slowed):
        yield _finding(row, values, level=Level.NOTE)
    asked = [one for one in evidence.samples if not one.archived]
    if asked and not any(one.size for one in asked):
        yield _with_extent(_finding("S3H-S3-14", values), asked, evidence)


def _values(evidence: Evidence, bucket: str) -> dict[str, str]:
    return {
        "BUCKET": bucket,
        "ROLE-ARN": evidence.role_arn,
        "CALLER-ARN": principal_of(evidence.caller_arn),
        "REGION": evidence.region,
        "PREFIX": evidence.listable or "",
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
    seen = ""
    if fault is not None and fault.kind is FaultKind.HTTP:
        said = f"{fault.code or fault.status}: {fault.message}"
    elif fault is not None:
        seen = fault.message
    return Finding(
        id=row,
        level=level or _LEVELS.get(row, Level.ERROR),
        title=f"{page.title.removesuffix('.')} ({guard})." if guard else page.title,
        said=said,
        seen=seen,
        who=_with_account(who, values.get("ROLE-ARN", "")),
        fix=fill_placeholders(fix, values) + which_policy(denial),
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


_UNIQUE_IDS = ("AIDA", "AROA")
_MFA_KEYS = frozenset({"aws:multifactorauthpresent", "aws:multifactorauthage"})


def trust_diagnosis_id(policy: Mapping[str, Any], caller_arn: str, role: RoleOptions) -> str:
    """The row for a caller that STS refused, because STS does not say why; S3H-STS-03 if the policy shows no reason.

    It looks for the common mistakes in one trust policy for one caller; it is not a policy evaluator.
    """
    allows = [one for one in listed(policy.get("Statement", [])) if one.get("Effect") == "Allow"]
    names = set(_matching_principals(caller_arn))
    matching = [one for one in allows if names & {*principals(one)}]
    if not matching:
        orphans = any(str(name).startswith(_UNIQUE_IDS) for one in allows for name in principals(one))
        return "S3H-STS-06" if orphans else "S3H-STS-05"
    if not any(_external_id_fits(one, role.external_id) for one in matching):
        return "S3H-STS-03"
    mfa = all(_MFA_KEYS & {clause.key for clause in clauses(one)} for one in matching)
    return "S3H-STS-08" if mfa and role.mfa_serial is None else "S3H-STS-03"


def _matching_principals(caller_arn: str) -> Iterator[str]:
    """All principals of a trust policy that match the caller."""
    yield from ("*", caller_arn)
    if arn := Arn.parse(caller_arn):
        yield from (arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", principal_of(caller_arn))


def _external_id_fits(statement: dict[str, Any], given: str | None) -> bool:
    tests = [clause for clause in clauses(statement) if clause.key == "sts:externalid"]
    return not tests or (given is not None and all(_matches(clause, given) for clause in tests))


def _matches(clause: Clause, given: str) -> bool:
    if clause.operator.startswith("StringLike"):
        return any(fnmatchcase(given, value) for value in clause.values)
    return given in clause.values
