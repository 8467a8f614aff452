"""A failing example for every lint rule, made out of the right documents of the embedded cloud's accounts.

`REFUSED` are those that a run meets: with such a document in force no run succeeds. `SILENT` let more in than
they should, or are refused by AWS when they are saved.
"""

import copy
from dataclasses import dataclass

from policies.grants import demo_grant
from s3haul.demo import seed
from s3haul.policies.documents import Part, document, documents

ALIAS = f"arn:aws:kms:{seed.REGION}:{seed.ACCOUNT_A}:alias/export"
BUCKET = f"arn:aws:s3:::{seed.BUCKET}"
CONTEXT = "kms:EncryptionContext:aws:s3:arn"
NUMBER = {
    "list": 0,
    "read": 1,
    "decrypt": 2,
}


@dataclass(frozen=True)
class Mistake:
    """One statement of the document `part` is at fault, by `rule`."""

    rule: str
    part: Part
    document: dict


def right(part: Part, **changes) -> dict:
    return copy.deepcopy(documents(demo_grant(**changes))[part])


def wrong(rule: str, part: Part, number: int, **changes) -> Mistake:
    """The right document with elements of one statement changed; None takes one away."""
    made = right(part)
    statement = made["Statement"][number] | changes
    made["Statement"][number] = {name: value for name, value in statement.items() if value is not None}
    return Mistake(rule, part, made)


def permissions(rule: str, which: str, **changes) -> Mistake:
    return wrong(rule, Part.PERMISSIONS, NUMBER[which], **changes)


def mixed(rule: str, resource: str) -> Mistake:
    """Both rights in one statement on one resource, as it is often written."""
    made = right(Part.PERMISSIONS)
    both = {
        "Sid": "Read",
        "Effect": "Allow",
        "Action": ["s3:ListBucket", "s3:GetObject"],
        "Resource": resource,
    }
    made["Statement"][:2] = [both]
    return Mistake(rule, Part.PERMISSIONS, made)


def via(service: str, operator: str = "StringEquals") -> dict:
    return {operator: {"kms:ViaService": service}}


REFUSED = {
    "ListBucket on BUCKET/*": permissions("list-on-objects", "list", Resource=f"{BUCKET}/*"),
    "all of S3 on BUCKET/*": Mistake(
        "list-on-objects",
        Part.PERMISSIONS,
        document(
            {"Effect": "Allow", "Action": "s3:*", "Resource": f"{BUCKET}/*"},
            right(Part.PERMISSIONS)["Statement"][2],
        ),
    ),
    "list and get on BUCKET/*": mixed("list-on-objects", f"{BUCKET}/*"),
    "GetObject on the bucket": permissions("get-on-bucket", "read", Resource=BUCKET),
    "list and get on the bucket": mixed("get-on-bucket", BUCKET),
    "s3:Get* on the bucket": permissions("get-on-bucket", "read", Action="s3:Get*", Resource=BUCKET),
    "ListObjectsV2 as a right": permissions("no-such-action", "list", Action="s3:ListObjectsV2"),
    "HeadObject as a right": permissions("no-such-action", "read", Action=["s3:HeadObject"]),
    "a prefix that shuts out the root": permissions(
        "prefix-shuts-out", "list", Condition={"StringLike": {"s3:prefix": ["logs/*", "other/*"]}}
    ),
    "a delimiter is required": permissions(
        "delimiter-required", "list", Condition={"StringEquals": {"s3:delimiter": "/"}}
    ),
    "an alias in kms:Decrypt": permissions("alias-in-decrypt", "decrypt", Resource=ALIAS),
    "the context of objects only": permissions(
        "one-context-form", "decrypt", Condition={"StringLike": {CONTEXT: f"{BUCKET}/*"}}
    ),
    "the context of the bucket only": permissions(
        "one-context-form", "decrypt", Condition={"StringEquals": {CONTEXT: BUCKET}}
    ),
    "wildcards under StringEquals": permissions(
        "wildcard-in-equals", "decrypt", Condition={"StringEquals": {CONTEXT: [f"{BUCKET}*", f"{BUCKET}/*"]}}
    ),
    "one wildcard under StringEquals": permissions(
        "wildcard-in-equals", "decrypt", Condition={"StringEquals": {CONTEXT: [BUCKET, f"{BUCKET}/*"]}}
    ),
    "kms:ViaService with a wildcard under StringEquals": permissions(
        "wildcard-in-equals", "decrypt", Condition=via("s3.*.amazonaws.com")
    ),
    "kms:ViaService of another region": permissions(
        "wrong-via-service", "decrypt", Condition=via("s3.eu-west-1.amazonaws.com")
    ),
    "kms:ViaService without a region": permissions(
        "wrong-via-service", "decrypt", Condition=via("s3.amazonaws.com")
    ),
    "an address tested in the role's policy": permissions(
        "network-condition", "decrypt", Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    ),
    "an address tested in the key's policy": wrong(
        "network-condition", Part.KEY, 0, Condition={"IpAddress": {"aws:SourceIp": "127.0.0.0/8"}}
    ),
    "an endpoint tested in the key's policy": wrong(
        "network-condition", Part.KEY, 0, Condition={"StringEquals": {"aws:SourceVpce": "vpce-1"}}
    ),
    "a deny for other addresses in the key's policy": Mistake(
        "network-condition",
        Part.KEY,
        document(
            {
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:*",
                "Resource": "*",
                "Condition": {"NotIpAddress": {"aws:SourceIp": "127.0.0.0/8"}},
            },
            right(Part.KEY)["Statement"][0],
        ),
    ),
    "kms:ViaService without a region in the key's policy": wrong(
        "wrong-via-service", Part.KEY, 0, Condition=via("s3.amazonaws.com")
    ),
    "a session as principal": wrong(
        "session-as-principal",
        Part.TRUST,
        0,
        Principal={"AWS": f"arn:aws:sts::{seed.ACCOUNT_B}:assumed-role/worker/i-1"},
    ),
    "a deleted principal": wrong(
        "orphaned-principal", Part.TRUST, 0, Principal={"AWS": "AIDAJQABLZS4A3QDU576Q"}
    ),
    "an External ID with a space": wrong(
        "unusable-external-id",
        Part.TRUST,
        0,
        Condition={"StringEquals": {"sts:ExternalId": "demo external id"}},
    ),
    "sts:AssumeRole on the account": wrong(
        "assume-no-role", Part.CALLER, 0, Resource=f"arn:aws:iam::{seed.ACCOUNT_A}:root"
    ),
    "sts:AssumeRole on a session": wrong(
        "assume-no-role",
        Part.CALLER,
        0,
        Resource=f"arn:aws:sts::{seed.ACCOUNT_A}:assumed-role/{seed.ROLE_NAME}/x",
    ),
}
SILENT = {
    "no External ID": wrong("no-external-id", Part.TRUST, 0, Condition=None),
    "any External ID": wrong(
        "no-external-id", Part.TRUST, 0, Condition={"StringLike": {"sts:ExternalId": "*"}}
    ),
    "everybody may assume the role": wrong("anybody", Part.TRUST, 0, Principal={"AWS": "*"}),
    "everybody may use the key": wrong("anybody", Part.KEY, 0, Principal="*", Condition=None),
    "elements in the plural": wrong(
        "unknown-shape", Part.PERMISSIONS, 0, Action=None, Actions="s3:ListBucket"
    ),
    "effect in small letters": wrong("unknown-shape", Part.PERMISSIONS, 0, Effect="allow"),
    "a Sid with spaces": wrong("unknown-shape", Part.PERMISSIONS, 0, Sid="List the bucket"),
    "a trust policy with a resource": wrong("unknown-shape", Part.TRUST, 0, Resource=seed.ROLE_ARN),
}
