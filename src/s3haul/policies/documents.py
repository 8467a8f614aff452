"""The policy documents of one export: from a grant (who, what, under which keys) to plain dicts as in AWS's JSON.

Every statement is needed: without it some object cannot be read. Nothing is checked here (`grant` does)
and nothing is rendered (`terraform` and `commands` do). Sids are stable: they are found again in an
account by them.
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
    """What account A grants. `callers` are ARNs of users, roles or account roots; `key_arns` lie in the
    bucket's region, in whatever account. `run_prefix` is what the session policy narrows the role to.
    Without callers or External ID the documents that name them are of no use."""

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
        """The bucket's region, which its keys tell."""
        return parsed(self.key_arns[0]).region if self.key_arns else None


@dataclass(frozen=True, slots=True)
class Documents:
    """All documents of a grant. `key_policy` holds the one statement that the policy of every key needs
    besides what it has; None where no key is named."""

    caller_policy: Document
    trust_policy: Document
    role_policy: Document
    key_policy: Document | None
    session_policy: Document


def documents(grant: Grant) -> Documents:
    """The documents of both accounts for `grant`, which `check_grant` has passed."""
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
            # The bucket's ARN is the context of objects under a Bucket Key, the object's that of all others.
            "StringLike": {"kms:EncryptionContext:aws:s3:arn": [bucket, objects]},
        },
    }
    return [listing, reading, decrypting]


def _reading(grant: Grant) -> list[str]:
    """A request with a versionId needs the ...Version right instead of the plain one, not besides it."""
    actions = ["s3:GetObject"]
    if grant.versions:
        actions.append("s3:GetObjectVersion")
    if grant.attributes:
        actions.append("s3:GetObjectAttributes")
    if grant.versions and grant.attributes:
        actions.append("s3:GetObjectVersionAttributes")
    return actions


def _key_statement(grant: Grant) -> Statement:
    """Lets the role's own policy act on the key, for this role and through S3 only.

    The principal is the account, not the role: a role that is deleted and made again would leave an
    AROA... id behind, and a role that does not exist yet is refused by PutKeyPolicy.
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
    """One value stands alone, as IAM itself writes it."""
    return values[0] if len(values) == 1 else list(values)
