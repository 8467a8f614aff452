"""Checks the values of a grant, and whether they fit together. Pure; raises `UsageError`."""

import json
from collections.abc import Collection

from s3haul.errors import UsageError
from s3haul.policies import names
from s3haul.policies.documents import Grant, documents
from s3haul.policies.names import parsed
from s3haul.policies.parts import Part, by_part

# Quotas of IAM, STS and KMS, in characters without whitespace. A key policy is measured in bytes.
LONGEST = {
    Part.TRUST: 2_048,
    Part.PERMISSIONS: 10_240,
    Part.KEY: 32_768,
    Part.CALLER: 2_048,
    Part.SESSION: 2_048,
}


def check_grant(grant: Grant, parts: Collection[Part] = tuple(Part)) -> None:
    """Raise `UsageError` for the first error. Values that only documents other than `parts` need may be missing."""
    names.check_role_arn(grant.role_arn)
    partition = parsed(grant.role_arn).partition
    if not grant.callers and {Part.TRUST, Part.CALLER} & set(parts):
        raise UsageError(
            "No caller is given.", hint="--caller takes the ARN of a user or role, or an account id"
        )
    for caller in grant.callers:
        names.caller_arn(caller, partition)
    if grant.external_id or Part.TRUST in parts:
        problem = names.external_id_trouble(grant.external_id)
        if problem is not None:
            raise UsageError(f"--external-id {problem}.", id="S3H-STS-09")
    names.check_bucket(grant.bucket)
    names.check_prefix(grant.prefix)
    for key in grant.key_arns:
        names.check_key_arn(key)
    _check_partitions(grant, partition)
    _check_regions(grant)
    _check_run_prefix(grant)
    _check_lengths(grant, parts)


def compact(document: object) -> str:
    """A document as JSON without whitespace: AWS counts its length like that."""
    return json.dumps(document, separators=(",", ":"))


def _check_partitions(grant: Grant, partition: str) -> None:
    for arn in (*grant.callers, *grant.key_arns):
        if parsed(arn).partition != partition:
            raise UsageError(
                f"{arn} is in partition {parsed(arn).partition}, the role in {partition}.",
                hint="roles and keys cannot be used across partitions",
            )


def _check_regions(grant: Grant) -> None:
    regions = sorted({parsed(arn).region for arn in grant.key_arns})
    if len(regions) > 1:
        raise UsageError(
            f"The keys are in several regions: {', '.join(regions)}.",
            hint="S3 encrypts with keys in the bucket's region; give only those",
        )


def _check_run_prefix(grant: Grant) -> None:
    if grant.run_prefix is None:
        return
    names.check_prefix(grant.run_prefix)
    if not grant.run_prefix.startswith(grant.prefix):
        raise UsageError(
            f"The run's prefix {grant.run_prefix!r} is not below the role's, {grant.prefix!r}.",
            hint="a session policy can only reduce the permissions of the role",
        )


def _check_lengths(grant: Grant, parts: Collection[Part]) -> None:
    for part, document in by_part(documents(grant)).items():
        length, longest = len(compact(document)), LONGEST[part]
        if part in parts and length > longest:
            raise UsageError(
                f"The {part} document would have {length} characters; AWS allows {longest}.",
                hint="give fewer callers or keys, or a shorter prefix",
            )
