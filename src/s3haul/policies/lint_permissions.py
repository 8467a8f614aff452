"""Lint rules for what the role may do: list and read the bucket, decrypt with the key.

They find actions on the wrong kind of resource, conditions that exclude too much, and what never matches when
S3 calls KMS. Those for kms:Decrypt apply to the role's policy and to the key policy.
"""

import re
from collections.abc import Callable, Sequence

from s3haul.policies.documents import Statement, shortest
from s3haul.policies.names import Arn, via_service
from s3haul.policies.statements import (
    OWNER,
    Clause,
    Problem,
    Rule,
    Scope,
    actions,
    allows,
    clauses,
    covers,
    like,
    resources,
    statements,
    with_clauses,
)

LIST = "s3:ListBucket"
READ = "s3:GetObject"
_LISTING = ("s3:listbucket", "s3:listbucketversions")
_READING = ("s3:getobject", "s3:getobjectversion", "s3:getobjectattributes", "s3:getobjectversionattributes")
_EQUAL = frozenset({"StringEquals", "StringLike", "StringEqualsIgnoreCase"})
_S3 = re.compile(r"(arn:[a-z*-]*:s3:::)([^/]*)(?:/(.*))?", re.DOTALL)

# Names of API operations that are often used as actions. IAM accepts them, but they allow nothing.
_OPERATIONS = {
    "s3:listobjects": LIST,
    "s3:listobjectsv2": LIST,
    "s3:headbucket": LIST,
    "s3:listobjectversions": "s3:ListBucketVersions",
    "s3:headobject": READ,
    "s3:copyobject": READ,
    "s3:downloadobject": READ,
}

DECRYPT = "kms:Decrypt"
CONTEXT = "kms:encryptioncontext:aws:s3:arn"
VIA = "kms:viaservice"

# Condition keys whose values often have wildcards: the name as AWS writes it, and the id of the mistake.
_WILD = {
    CONTEXT: ("kms:EncryptionContext:aws:s3:arn", "S3H-KMS-05"),
    VIA: ("kms:ViaService", "S3H-KMS-01"),
    "s3:prefix": ("s3:prefix", "S3H-S3-03"),
}
_NETWORK = frozenset({"aws:sourceip", "aws:sourcevpc", "aws:sourcevpce", "aws:vpcsourceip"})
_THROUGH_A_SERVICE = frozenset({"aws:viaawsservice", VIA})
_VIA_S3 = re.compile(r"s3\.([A-Za-z0-9-]+)\.amazonaws\.com(\.cn)?")


def _denied(action: str, resource: str) -> str:
    """The error message of S3 if no policy allows the action."""
    return f'AccessDenied: ... is not authorized to perform: {action} on resource: "{resource}" because no identity-based policy allows the {action} action'


def list_on_objects(statement: Statement, scope: Scope) -> Problem | None:
    """s3:ListBucket needs the bucket as the resource; on BUCKET/* it allows nothing."""
    found = _misplaced(statement, scope, LIST, _names_bucket)
    if not found:
        return None
    buckets = list(dict.fromkeys(match[1] + match[2] for match in found))
    prefixes = [match[3] for match in found]
    own = {"Action": shortest(_own(statement, _LISTING, LIST)), "Resource": shortest(buckets)}
    listing = statement | own
    if all(prefix and prefix != "*" for prefix in prefixes):
        listing = with_clauses(listing, ("StringLike", "s3:prefix", prefixes))
    return Problem(
        f"s3:ListBucket is allowed on objects ({found[0][0]}), but it needs the bucket as the resource",
        _denied(LIST, buckets[0]),
        _split(statement, _LISTING, listing, "Bucket"),
    )


def get_on_bucket(statement: Statement, scope: Scope) -> Problem | None:
    """s3:GetObject needs objects as the resource; on the bucket's ARN it allows nothing."""
    found = _misplaced(statement, scope, READ, _names_objects)
    if not found:
        return None
    objects = list(dict.fromkeys(f"{match[1]}{match[2]}/*" for match in found))
    own = {"Action": shortest(_own(statement, _READING, READ)), "Resource": shortest(objects)}
    return Problem(
        f"s3:GetObject is allowed on the bucket ({found[0][0]}), but it needs its objects as the resource",
        _denied(READ, objects[0].replace("/*", "/KEY")),
        _split(statement, _READING, statement | own, "Objects"),
    )


def no_such_action(statement: Statement, scope: Scope) -> Problem | None:
    """The name of an API operation is used as an action."""
    del scope
    wrong = [action for action in actions(statement) if action.lower() in _OPERATIONS]
    if not (wrong and allows(statement)):
        return None
    right = _OPERATIONS[wrong[0].lower()]
    corrected = dict.fromkeys(_OPERATIONS.get(action.lower(), action) for action in actions(statement))
    return Problem(
        f"{wrong[0]} is not an action; the operation needs {right}",
        _denied(right, _bucket_arn(statement) + ("/KEY" if right == READ else "")),
        (statement | {"Action": shortest(corrected)},),
        None if right != READ else "S3H-S3-04",
    )


def prefix_shuts_out(statement: Statement, scope: Scope) -> Problem | None:
    """The s3:prefix condition allows less than may be read, so the root (or the prefix) cannot be listed."""
    narrowed = [clause for clause in clauses(statement) if clause.key == "s3:prefix"]
    if not narrowed or not _listable(statement):
        return None
    readable = list(dict.fromkeys(_readable_prefixes(statement, scope))) or [""]
    patterns = [pattern for each in statements(scope.document) for pattern in _listable(each)]
    shut = [prefix for prefix in readable if not any(like(prefix, each) for each in patterns)]
    if not shut:
        return None
    corrected = with_clauses(statement, *((clause.operator, "s3:prefix", None) for clause in narrowed))
    if "" not in readable:
        corrected = with_clauses(
            corrected, ("StringLike", "s3:prefix", [f"{prefix}*" for prefix in readable])
        )
    where = f"below {shut[0]!r}" if shut[0] else "at the bucket's root"
    return Problem(
        f"s3:prefix does not allow listing {where}, although objects there may be read",
        _denied(LIST, _bucket_arn(statement)),
        (corrected,),
    )


def delimiter_required(statement: Statement, scope: Scope) -> Problem | None:
    """s3haul lists without a delimiter; a condition that requires one refuses that."""
    del scope
    found = [clause for clause in clauses(statement) if _narrows(clause, "s3:delimiter")]
    if not (found and allows(statement) and covers(statement, LIST)) or "" in found[0].values:
        return None
    return Problem(
        "s3:delimiter is required, but a listing of all keys below a prefix has no delimiter",
        _denied(LIST, _bucket_arn(statement)),
        (with_clauses(statement, *((clause.operator, "s3:delimiter", None) for clause in found)),),
    )


def alias_in_decrypt(statement: Statement, scope: Scope) -> Problem | None:
    """For kms:Decrypt, a policy must name the key ARN; an alias never matches."""
    aliases = [each for each in resources(statement) if ":alias/" in each]
    if not (aliases and covers(statement, DECRYPT)):
        return None
    kept = [_key_of(each) for each in resources(statement)]
    return Problem(
        f"kms:Decrypt names an alias ({aliases[0]}); aws kms describe-key --key-id {aliases[0]} shows the key's ARN",
        _decrypt_denied(scope),
        (statement | {"Resource": shortest(kept)},),
    )


def one_context_form(statement: Statement, scope: Scope) -> Problem | None:
    """The encryption context is the bucket's ARN for objects with a Bucket Key, else the object's ARN."""
    found = _clause(statement, CONTEXT)
    if found is None or not (allows(statement) and covers(statement, DECRYPT)):
        return None
    bucket = any(_names_bucket(value) for value in found.values)
    objects = any(_names_objects(value) for value in found.values)
    if bucket and objects:
        return None
    missing = [value.partition("/")[0] if objects else f"{value}/*" for value in found.values]
    both = list(dict.fromkeys([*found.values, *missing]))
    lost = "objects with a Bucket Key" if objects else "objects without a Bucket Key"
    return Problem(
        f"the condition on the encryption context excludes {lost}",
        _decrypt_denied(scope),
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
            said = (
                _decrypt_denied(scope)
                if clause.key.startswith("kms:")
                else _denied(LIST, _bucket_arn(statement))
            )
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
    service = via_service(min(regions, default="REGION"))
    corrected = with_clauses(
        statement, (found.operator, found.key, None), ("StringEquals", "kms:ViaService", service)
    )
    return Problem(
        f"kms:ViaService is {found.values[0]}, but S3 calls KMS as {service[0]}",
        _decrypt_denied(scope),
        (corrected,),
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
        return Problem(text, _decrypt_denied(scope, explicit=True), (corrected,))
    others = (each for each in scope.others(statement) if allows(each) and covers(each, DECRYPT))
    if any(not _network(each) for each in others):
        return None
    corrected = with_clauses(statement, *((clause.operator, clause.key, None) for clause in found))
    if _clause(corrected, VIA) is None:
        region = min(_key_regions(statement), default=scope.region or "REGION")
        corrected = with_clauses(corrected, ("StringEquals", "kms:ViaService", via_service(region)))
    return Problem(text, _decrypt_denied(scope), (corrected,))


RULES = (
    Rule("list-on-objects", "S3H-S3-02", OWNER, list_on_objects),
    Rule("get-on-bucket", "S3H-S3-04", OWNER, get_on_bucket),
    Rule("no-such-action", "S3H-S3-02", OWNER, no_such_action),
    Rule("prefix-shuts-out", "S3H-S3-03", OWNER, prefix_shuts_out),
    Rule("delimiter-required", "S3H-S3-03", OWNER, delimiter_required),
    Rule("alias-in-decrypt", "S3H-KMS-01", OWNER, alias_in_decrypt),
    Rule("one-context-form", "S3H-KMS-05", OWNER, one_context_form),
    Rule("wildcard-in-equals", "S3H-KMS-05", OWNER, wildcard_in_equals),
    Rule("wrong-via-service", "S3H-KMS-01", OWNER, wrong_via_service),
    Rule("network-condition", "S3H-KMS-04", OWNER, network_condition),
)


def _bucket_arn(statement: Statement) -> str:
    """The first bucket that the resources name; a placeholder if they name none."""
    found = (_S3.fullmatch(resource) for resource in resources(statement))
    return next((match[1] + match[2] for match in found if match), "arn:aws:s3:::BUCKET")


def _names_bucket(resource: str) -> bool:
    """Whether an ARN (pattern) can match a bucket."""
    match = _S3.fullmatch(resource)
    return resource == "*" or (match is not None and match[3] is None)


def _names_objects(resource: str) -> bool:
    """Whether an ARN (pattern) can match objects; a * at its end also matches slashes."""
    match = _S3.fullmatch(resource)
    return resource == "*" or (match is not None and (match[3] is not None or match[2].endswith("*")))


def _misplaced(
    statement: Statement, scope: Scope, action: str, right: Callable[[str], bool]
) -> list[re.Match[str]]:
    """The S3 resources on which the statement allows `action`, if no statement allows it on the kind of
    resource that the action needs."""
    granting = [each for each in statements(scope.document) if allows(each) and covers(each, action)]
    if statement not in granting or any(right(resource) for each in granting for resource in resources(each)):
        return []
    return [match for match in map(_S3.fullmatch, resources(statement)) if match]


def _own(statement: Statement, names: Sequence[str], default: str) -> list[str]:
    """The actions of the statement that are in `names`; the default if only wildcards match them."""
    return [action for action in actions(statement) if action.lower() in names] or [default]


def _split(statement: Statement, names: Sequence[str], part: Statement, suffix: str) -> tuple[Statement, ...]:
    """`part`, which has its own resource, and before it a statement with the remaining actions."""
    rest = [action for action in actions(statement) if action.lower() not in names]
    if not rest:
        return (part,)
    if "Sid" in statement:
        part = part | {"Sid": statement["Sid"] + suffix}
    return statement | {"Action": shortest(rest)}, part


def _listable(statement: Statement) -> list[str]:
    """The prefixes, as patterns, that the statement allows to list."""
    if not (allows(statement) and covers(statement, LIST)):
        return []
    narrowed = [clause.values for clause in clauses(statement) if _narrows(clause, "s3:prefix")]
    return narrowed[0] if narrowed else ["*"]


def _narrows(clause: Clause, key: str) -> bool:
    return clause.key == key and clause.base in _EQUAL


def _readable_prefixes(statement: Statement, scope: Scope) -> list[str]:
    """The prefixes that the document allows to read in the buckets of the statement,
    from resources BUCKET/PREFIX*."""
    reading = (each for each in statements(scope.document) if allows(each) and covers(each, READ))
    found = (_S3.fullmatch(resource) for each in reading for resource in resources(each))
    return [
        match[3].rstrip("*")
        for match in found
        if match
        and match[3] is not None
        and any(like(match[1] + match[2], each) for each in resources(statement))
    ]


def _decrypt_denied(scope: Scope, *, explicit: bool = False) -> str:
    """The error message of S3 if KMS refuses."""
    kind = "resource-based" if scope.attached else "identity-based"
    article = "a" if scope.attached else "an"
    why = (
        f"with an explicit deny in {article} {kind} policy"
        if explicit
        else f"because no {kind} policy allows the {DECRYPT} action"
    )
    return f"AccessDenied: ... is not authorized to perform: {DECRYPT} on the resource associated with this ciphertext {why}"


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
