"""Checks the grant of account A (who, what, with which keys), and builds its policy documents, as AWS's JSON.

Every statement is needed: without it some object cannot be read. Sids are stable, so that the statements can
be found again in an account. `rendering` writes the documents as Terraform or commands. Pure.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from s3haul.errors import UsageError
from s3haul.policies import names
from s3haul.policies.names import parsed, via_service

Document = dict[str, Any]
Statement = dict[str, Any]

VERSION = "2012-10-17"
CALLER_SID = "AssumeTheExportRole"
TRUST_SID = "CallerWithExternalId"
LIST_SID = "ListTheBucket"
READ_SID = "ReadObjects"
DECRYPT_SID = "DecryptOnlyThroughS3"
KEY_SID = "ExportRoleDecryptsThroughS3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What account A grants. `callers` are ARNs of users, roles or account roots. `key_arns` are in the
    bucket's region, in any account. `run_prefix` is the prefix to which the session policy limits the role.
    Without callers or External ID, the documents that contain them are not valid."""

    role_arn: str
    bucket: str
    callers: tuple[str, ...] = ()
    external_id: str = field(default="", repr=False)
    prefix: str = ""
    key_arns: tuple[str, ...] = ()
    versions: bool = False
    attributes: bool = False
    run_prefix: str | None = None

    @property
    def region(self) -> str | None:
        """The bucket's region: that of its keys. None without keys."""
        return parsed(self.key_arns[0]).region if self.key_arns else None


class Part(StrEnum):
    """The documents of a grant; the values are those of `--only` and the names in the JSON of all."""

    CALLER = "caller"
    TRUST = "trust"
    PERMISSIONS = "permissions"
    KEY = "key"  # the one statement to add to the policy of every key
    SESSION = "session"


# Quotas of IAM, STS and KMS, in characters without whitespace. A key policy is measured in bytes.
LONGEST = {
    Part.TRUST: 2_048,
    Part.PERMISSIONS: 10_240,
    Part.KEY: 32_768,
    Part.CALLER: 2_048,
    Part.SESSION: 2_048,
}


def check_grant(grant: Grant, parts: Collection[Part] = tuple(Part)) -> None:
    """Raise `UsageError` for the first error. Values that only documents other than
    `parts` need may be missing."""
    names.check_role_arn(grant.role_arn)
    partition = parsed(grant.role_arn).partition
    if not grant.callers and {Part.TRUST, Part.CALLER} & set(parts):
        raise UsageError(
            "No caller is given.", hint="--caller takes the ARN of a user or role, or an account id"
        )
    for caller in grant.callers:
        names.caller_arn(caller, partition)
    if grant.external_id or Part.TRUST in parts:
        problem = names.external_id_problem(grant.external_id)
        if problem is not None:
            raise UsageError(f"--external-id {problem}.", id="S3H-STS-09")
    names.check_bucket_name(grant.bucket)
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
    for part, document in documents(grant).items():
        length, longest = len(compact(document)), LONGEST[part]
        if part in parts and length > longest:
            raise UsageError(
                f"The {part} document would have {length} characters; AWS allows {longest}.",
                hint="give fewer callers or keys, or a shorter prefix",
            )


def documents(grant: Grant) -> dict[Part, Document]:
    """The documents of both accounts, in the order in which they are created there.
    Part.KEY exists only with keys.

    `check_grant` must have accepted the grant.
    """
    return {
        Part.TRUST: document(_trust_statement(grant)),
        Part.PERMISSIONS: document(*_role_statements(grant, grant.prefix)),
        **({Part.KEY: document(_key_statement(grant))} if grant.key_arns else {}),
        Part.CALLER: document(_caller_statement(grant)),
        Part.SESSION: document(*_role_statements(grant, grant.run_prefix or grant.prefix)),
    }


def document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}


def _caller_statement(grant: Grant) -> Statement:
    return {"Sid": CALLER_SID, "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": grant.role_arn}


def _trust_statement(grant: Grant) -> Statement:
    return {
        "Sid": TRUST_SID,
        "Effect": "Allow",
        "Principal": {"AWS": shortest(grant.callers)},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": grant.external_id}},
    }


def _role_statements(grant: Grant, prefix: str) -> list[Statement]:
    bucket = f"arn:{parsed(grant.role_arn).partition}:s3:::{grant.bucket}"
    objects = f"{bucket}/{prefix}*"
    listing: Statement = {
        "Sid": LIST_SID,
        "Effect": "Allow",
        "Action": shortest(["s3:ListBucket", *(["s3:ListBucketVersions"] if grant.versions else [])]),
        "Resource": bucket,
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{prefix}*"}}
    reading = {"Sid": READ_SID, "Effect": "Allow", "Action": shortest(_reading(grant)), "Resource": objects}
    if not grant.key_arns:
        return [listing, reading]
    decrypting = {
        "Sid": DECRYPT_SID,
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": shortest(grant.key_arns),
        "Condition": {
            "StringEquals": {"kms:ViaService": shortest(via_service(grant.region or ""))},
            # The encryption context is the bucket's ARN for objects with a Bucket Key, else the object's ARN.
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, objects]},
        },
    }
    return [listing, reading, decrypting]


def _reading(grant: Grant) -> list[str]:
    """A request with a versionId needs the ...Version action instead of the plain one."""
    actions = ["s3:GetObject"]
    if grant.versions:
        actions.append("s3:GetObjectVersion")
    if grant.attributes:
        actions.append("s3:GetObjectAttributes")
    if grant.versions and grant.attributes:
        actions.append("s3:GetObjectVersionAttributes")
    return actions


def _key_statement(grant: Grant) -> Statement:
    """Lets the policies of the role allow use of the key, only for this role and only through S3.

    The principal is the account, not the role. If a role is deleted and created again, a principal that names
    it would become an invalid AROA... id; and PutKeyPolicy refuses a role that does not exist yet.
    """
    role = parsed(grant.role_arn)
    return {
        "Sid": KEY_SID,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{role.partition}:iam::{role.account}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:ViaService": shortest(via_service(grant.region or ""))},
            "ArnEquals": {"aws:PrincipalArn": grant.role_arn},
        },
    }


def shortest(values: Iterable[str]) -> str | list[str]:
    """The different values; a single one without a list, as IAM writes it."""
    found = list(dict.fromkeys(values))
    return found[0] if len(found) == 1 else found
