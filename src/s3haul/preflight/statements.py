"""The policy statement that is missing, for each row of the diagnosis table; built as in `s3haul policy`."""

from dataclasses import replace

from s3haul.diagnose.causes import Finding
from s3haul.diagnose.evidence import Evidence
from s3haul.diagnose.trust import principal_of
from s3haul.options import SourceOptions
from s3haul.policies import documents
from s3haul.policies.documents import Grant, Statement

# Placeholders, for `s3haul help ID`.
EXAMPLE = Grant(
    role_arn="arn:aws:iam::111111111111:role/EXPORT-ROLE",
    callers=("arn:aws:iam::222222222222:user/USER-B",),
    external_id="EXTERNAL-ID",
    bucket="BUCKET",
    key_arns=("arn:aws:kms:REGION:111111111111:key/KEY-ID",),
)
# For each row: the document, and the Sid of the statement in it.
_OF_ROW = {
    "S3H-STS-03": ("trust_policy", documents.TRUST_SID),
    "S3H-STS-04": ("caller_policy", documents.CALLER_SID),
    "S3H-STS-05": ("trust_policy", documents.TRUST_SID),
    "S3H-STS-06": ("trust_policy", documents.TRUST_SID),
    "S3H-STS-13": ("trust_policy", documents.TRUST_SID),
    "S3H-S3-02": ("role_policy", documents.LIST_SID),
    "S3H-S3-03": ("role_policy", documents.LIST_SID),
    "S3H-S3-04": ("role_policy", documents.READ_SID),
    "S3H-S3-05": ("role_policy", documents.LIST_SID),
    "S3H-KMS-01": ("role_policy", documents.DECRYPT_SID),
    "S3H-KMS-02": ("key_policy", documents.KEY_SID),
    "S3H-KMS-03": ("key_policy", documents.KEY_SID),
    "S3H-KMS-05": ("role_policy", documents.DECRYPT_SID),
    "S3H-KMS-06": ("role_policy", documents.DECRYPT_SID),
}


def statement_of(row: str, grant: Grant) -> Statement | None:
    """The statement that is missing; None for rows that a statement cannot fix."""
    if row not in _OF_ROW:
        return None
    name, sid = _OF_ROW[row]
    document = getattr(documents.documents(grant), name)
    found = document["Statement"] if document else []
    return next((one for one in found if one["Sid"] == sid), None)


def with_statements(
    found: tuple[Finding, ...], evidence: Evidence, source: SourceOptions
) -> tuple[Finding, ...]:
    """Add to each finding the statement that is missing, with the real ARNs."""
    if not evidence.role_arn or source.bucket.startswith("arn:"):
        return found
    keys = {one.kms_key for one in evidence.samples} - {""}
    grant = replace(
        EXAMPLE,
        role_arn=evidence.role_arn,
        callers=(principal_of(evidence.caller_arn),) if evidence.caller_arn else EXAMPLE.callers,
        bucket=source.bucket,
        prefix=source.prefix if source.recursive else "",
        key_arns=tuple(sorted(keys)),
    )
    return tuple(replace(one, statement=statement_of(one.id, grant)) for one in found)
