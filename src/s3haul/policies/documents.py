"""Builds the policy documents for a grant (who, what, with which keys), as dicts with the structure of AWS's JSON.

Every statement is needed: without it some object cannot be read. `grant` checks the values; `terraform` and `commands`
render the documents. Sids are stable, so that the statements can be found again in an account.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

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
    """What account A grants. `callers` are ARNs of users, roles or account roots. `key_arns` are in the bucket's region,
    in any account. `run_prefix` is the prefix to which the session policy limits the role. Without callers or External
    ID, the documents that contain them are not valid."""

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


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents of a grant. `key_policy` contains the one statement to add to the policy of every key; None without
    keys."""

    caller_policy: Document
    trust_policy: Document
    role_policy: Document
    key_policy: Document | None
    session_policy: Document


def documents(grant: Grant) -> Documents:
    """The documents of both accounts for `grant`, which `check_grant` must have accepted."""
    return Documents(
        caller_policy=document(_caller_statement(grant)),
        trust_policy=document(_trust_statement(grant)),
        role_policy=document(*_role_statements(grant, grant.prefix)),
        key_policy=document(_key_statement(grant)) if grant.key_arns else None,
        session_policy=document(*_role_statements(grant, grant.run_prefix or grant.prefix)),
    )


def document(*statements: Statement) -> Document:
    return {"Version": VERSION, "Statement": list(statements)}


def _caller_statement(grant: Grant) -> Statement:
    return {"Sid": CALLER_SID, "Effect": "Allow", "Action": "sts:AssumeRole", "Resource": grant.role_arn}


def _trust_statement(grant: Grant) -> Statement:
    return {
        "Sid": TRUST_SID,
        "Effect": "Allow",
        "Principal": {"AWS": _plain(grant.callers)},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": grant.external_id}},
    }


def _role_statements(grant: Grant, prefix: str) -> list[Statement]:
    bucket = f"arn:{parsed(grant.role_arn).partition}:s3:::{grant.bucket}"
    objects = f"{bucket}/{prefix}*"
    listing: Statement = {
        "Sid": LIST_SID,
        "Effect": "Allow",
        "Action": _plain(["s3:ListBucket", *(["s3:ListBucketVersions"] if grant.versions else [])]),
        "Resource": bucket,
    }
    if prefix:
        listing["Condition"] = {"StringLike": {"s3:prefix": f"{prefix}*"}}
    reading = {"Sid": READ_SID, "Effect": "Allow", "Action": _plain(_reading(grant)), "Resource": objects}
    if not grant.key_arns:
        return [listing, reading]
    decrypting = {
        "Sid": DECRYPT_SID,
        "Effect": "Allow",
        "Action": "kms:Decrypt",
        "Resource": _plain(grant.key_arns),
        "Condition": {
            "StringEquals": {"kms:ViaService": _plain(via_service(grant.region or ""))},
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

    The principal is the account, not the role. If a role is deleted and created again, a principal that names it would
    become an invalid AROA... id; and PutKeyPolicy refuses a role that does not exist yet.
    """
    role = parsed(grant.role_arn)
    return {
        "Sid": KEY_SID,
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{role.partition}:iam::{role.account}:root"},
        "Action": "kms:Decrypt",
        "Resource": "*",
        "Condition": {
            "StringEquals": {"kms:ViaService": _plain(via_service(grant.region or ""))},
            "ArnEquals": {"aws:PrincipalArn": grant.role_arn},
        },
    }


def _plain(values: Sequence[str]) -> str | list[str]:
    """A single value without a list, as IAM writes it."""
    return values[0] if len(values) == 1 else list(values)
