"""The policy statement that is missing, for each row of the diagnosis table; built as in `s3haul policy`."""

from dataclasses import replace

from s3haul.diagnose.causes import Finding
from s3haul.diagnose.evidence import Evidence
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
from s3haul.policies.names import principal_of

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


def statement_of(row: str, grant: Grant) -> Statement | None:
    """The statement that is missing; None for rows that a statement cannot fix."""
    statements = (one for made in documents(grant).values() for one in made["Statement"])
    return next((one for one in statements if one["Sid"] == _SIDS.get(row)), None)


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
        versions=source.at is not None or source.all_versions or source.version_id is not None,
    )
    return tuple(replace(one, statement=statement_of(one.id, grant)) for one in found)
