"""Lint rules for kms:Decrypt, in the role's policy and in the key policy: what never matches when S3 calls KMS."""

import re

from s3haul.policies.documents import Statement, shortest
from s3haul.policies.lint_s3 import LIST, denied, names_bucket, names_objects
from s3haul.policies.names import Arn, via_service
from s3haul.policies.statements import (
    OWNER,
    Clause,
    Problem,
    Rule,
    Scope,
    allows,
    clauses,
    covers,
    like,
    resources,
    with_clauses,
)

DECRYPT = "kms:Decrypt"
CONTEXT = "kms:encryptioncontext:aws:s3:arn"
VIA = "kms:viaservice"

_NETWORK = frozenset({"aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"})
_THROUGH_A_SERVICE = frozenset({"aws:viaawsservice", VIA})
_VIA_S3 = re.compile(r"s3\.([A-Za-z0-9-]+)\.amazonaws\.com(\.cn)?")


def alias_in_decrypt(statement: Statement, scope: Scope) -> Problem | None:
    """For kms:Decrypt, a policy must name the key ARN; an alias never matches."""
    aliases = [each for each in resources(statement) if ":alias/" in each]
    if not (aliases and covers(statement, DECRYPT)):
        return None
    kept = [_key_of(each) for each in resources(statement)]
    return Problem(
        f"kms:Decrypt names an alias ({aliases[0]}); aws kms describe-key --key-id {aliases[0]} shows the key's ARN",
        _denied(scope),
        (statement | {"Resource": shortest(kept)},),
    )


def one_context_form(statement: Statement, scope: Scope) -> Problem | None:
    """The encryption context is the bucket's ARN for objects with a Bucket Key, else the object's ARN."""
    found = _clause(statement, CONTEXT)
    if found is None or not (allows(statement) and covers(statement, DECRYPT)):
        return None
    bucket = any(names_bucket(value) for value in found.values)
    objects = any(names_objects(value) for value in found.values)
    if bucket and objects:
        return None
    missing = [value.partition("/")[0] if objects else f"{value}/*" for value in found.values]
    both = list(dict.fromkeys([*found.values, *missing]))
    lost = "objects with a Bucket Key" if objects else "objects without a Bucket Key"
    return Problem(
        f"the condition on the encryption context excludes {lost}",
        _denied(scope),
        (_with_like(statement, found, "kms:EncryptionContext:aws:s3:arn", both),),
    )


def wildcard_in_equals(statement: Statement, scope: Scope) -> Problem | None:
    """StringEquals has no wildcards: it compares with a literal *, so the condition is never true."""
    if not allows(statement):
        return None
    for clause in clauses(statement):
        if clause.base != "StringEquals" or clause.key not in _WILD:
            continue
        if any("*" in value or "?" in value for value in clause.values):
            name, diagnosis = _WILD[clause.key]
            said = _denied(scope) if clause.key.startswith("kms:") else denied(LIST, "arn:aws:s3:::BUCKET")
            corrected = _with_like(statement, clause, name, clause.values)
            return Problem(
                f"{name} is compared with {clause.operator}, which does not support wildcards",
                said,
                (corrected,),
                diagnosis,
            )
    return None


def wrong_via_service(statement: Statement, scope: Scope) -> Problem | None:
    """kms:ViaService must be S3 of the region in which the bucket and its key are."""
    found = _clause(statement, VIA)
    if found is None or not (allows(statement) and covers(statement, DECRYPT)):
        return None
    # A statement for other services is not examined.
    about_s3 = any(value.startswith("s3") for value in found.values)
    regions = _key_regions(statement) or ({scope.region} if scope.region else set())
    if not about_s3 or any(_is_via_s3(value, regions) for value in found.values):
        return None
    wanted = via_service(min(regions, default="REGION"))
    corrected = with_clauses(
        statement, (found.operator, found.key, None), ("StringEquals", "kms:ViaService", wanted)
    )
    return Problem(
        f"kms:ViaService is {found.values[0]}, but S3 calls KMS as {wanted[0]}", _denied(scope), (corrected,)
    )


def network_condition(statement: Statement, scope: Scope) -> Problem | None:
    """S3 makes the call to KMS, so the caller's address, VPC or endpoint cannot be compared."""
    found = _network(statement)
    if not found or not covers(statement, DECRYPT):
        return None
    text = (
        f"{found[0].key} is tested for kms:Decrypt, but S3 makes that call, not from an address of the caller"
    )
    if not allows(statement):
        if _THROUGH_A_SERVICE & {clause.key for clause in clauses(statement)}:
            return None
        corrected = with_clauses(statement, ("Bool", "aws:ViaAWSService", ["false"]))
        return Problem(text, _denied(scope, explicit=True), (corrected,))
    others = (each for each in scope.others(statement) if allows(each) and covers(each, DECRYPT))
    if any(not _network(each) for each in others):
        return None
    corrected = with_clauses(statement, *((clause.operator, clause.key, None) for clause in found))
    if _clause(corrected, VIA) is None:
        region = min(_key_regions(statement), default=scope.region or "REGION")
        corrected = with_clauses(corrected, ("StringEquals", "kms:ViaService", via_service(region)))
    return Problem(text, _denied(scope), (corrected,))


RULES = (
    Rule("alias-in-decrypt", "S3H-KMS-01", OWNER, alias_in_decrypt),
    Rule("one-context-form", "S3H-KMS-05", OWNER, one_context_form),
    Rule("wildcard-in-equals", "S3H-KMS-05", OWNER, wildcard_in_equals),
    Rule("wrong-via-service", "S3H-KMS-01", OWNER, wrong_via_service),
    Rule("network-condition", "S3H-KMS-04", OWNER, network_condition),
)

# Condition keys whose values often have wildcards: the name as AWS writes it, and the id of the mistake.
_WILD = {
    CONTEXT: ("kms:EncryptionContext:aws:s3:arn", "S3H-KMS-05"),
    VIA: ("kms:ViaService", "S3H-KMS-01"),
    "s3:prefix": ("s3:prefix", "S3H-S3-03"),
}


def _denied(scope: Scope, right: str = DECRYPT, *, explicit: bool = False) -> str:
    kind = "a resource-based policy" if scope.attached else "an identity-based policy"
    why = (
        f"with an explicit deny in {kind}"
        if explicit
        else f"because no {kind.split(' ', 1)[1]} allows the {right} action"
    )
    return f"AccessDenied: ... is not authorized to perform: {right} on the resource associated with this ciphertext {why}"


def _network(statement: Statement) -> list[Clause]:
    return [clause for clause in clauses(statement) if clause.key in _NETWORK]


def _key_regions(statement: Statement) -> set[str]:
    """The regions of the keys in the statement."""
    keys = (Arn.parse(each) for each in resources(statement))
    return {arn.region for arn in keys if arn and arn.service == "kms" and "*" not in arn.region}


def _clause(statement: Statement, key: str) -> Clause | None:
    return next((clause for clause in clauses(statement) if clause.key == key), None)


def _key_of(resource: str) -> str:
    head, is_alias, _ = resource.partition(":alias/")
    return f"{head}:key/KEY-ID" if is_alias else resource


def _with_like(statement: Statement, clause: Clause, name: str, values: list[str]) -> Statement:
    """The statement with this condition changed to StringLike and these values."""
    return with_clauses(statement, (clause.operator, clause.key, None), ("StringLike", name, values))


def _is_via_s3(value: str, regions: set[str]) -> bool:
    """Whether the value is S3 in one of the regions, or in any region if `regions` is empty."""
    if not regions:
        return "*" in value or _VIA_S3.fullmatch(value) is not None
    return any(like(name, value) for region in regions for name in via_service(region))
