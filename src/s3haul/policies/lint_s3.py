"""Lint rules for access to the bucket: actions on the wrong kind of resource, conditions that exclude too much."""

import re
from collections.abc import Callable, Sequence

from s3haul.policies.documents import Statement, shortest
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


def denied(action: str, resource: str) -> str:
    """The error message of S3 if no policy allows the action."""
    return f'AccessDenied: ... is not authorized to perform: {action} on resource: "{resource}" because no identity-based policy allows the {action} action'


def list_on_objects(statement: Statement, scope: Scope) -> Problem | None:
    """s3:ListBucket needs the bucket as the resource; on BUCKET/* it allows nothing."""
    found = _misplaced(statement, scope, LIST, names_bucket)
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
        denied(LIST, buckets[0]),
        _split(statement, _LISTING, listing, "Bucket"),
    )


def get_on_bucket(statement: Statement, scope: Scope) -> Problem | None:
    """s3:GetObject needs objects as the resource; on the bucket's ARN it allows nothing."""
    found = _misplaced(statement, scope, READ, names_objects)
    if not found:
        return None
    objects = list(dict.fromkeys(f"{match[1]}{match[2]}/*" for match in found))
    own = {"Action": shortest(_own(statement, _READING, READ)), "Resource": shortest(objects)}
    return Problem(
        f"s3:GetObject is allowed on the bucket ({found[0][0]}), but it needs its objects as the resource",
        denied(READ, objects[0].replace("/*", "/KEY")),
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
        denied(right, "arn:aws:s3:::BUCKET" if right != READ else "arn:aws:s3:::BUCKET/KEY"),
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
        denied(LIST, "arn:aws:s3:::BUCKET"),
        (corrected,),
    )


def delimiter_wanted(statement: Statement, scope: Scope) -> Problem | None:
    """s3haul lists without a delimiter; a condition that requires one refuses that."""
    del scope
    found = [clause for clause in clauses(statement) if _narrows(clause, "s3:delimiter")]
    if not (found and allows(statement) and covers(statement, LIST)) or "" in found[0].values:
        return None
    return Problem(
        "s3:delimiter is required, but a listing of all keys below a prefix has no delimiter",
        denied(LIST, "arn:aws:s3:::BUCKET"),
        (with_clauses(statement, *((clause.operator, "s3:delimiter", None) for clause in found)),),
    )


RULES = (
    Rule("list-on-objects", "S3H-S3-02", OWNER, list_on_objects),
    Rule("get-on-bucket", "S3H-S3-04", OWNER, get_on_bucket),
    Rule("no-such-action", "S3H-S3-02", OWNER, no_such_action),
    Rule("prefix-shuts-out", "S3H-S3-03", OWNER, prefix_shuts_out),
    Rule("delimiter-wanted", "S3H-S3-03", OWNER, delimiter_wanted),
)

_EQUAL = frozenset({"StringEquals", "StringLike", "StringEqualsIgnoreCase"})


def names_bucket(resource: str) -> bool:
    """Whether an ARN (pattern) can match a bucket."""
    match = _S3.fullmatch(resource)
    return resource == "*" or (match is not None and match[3] is None)


def names_objects(resource: str) -> bool:
    """Whether an ARN (pattern) can match objects; a * at its end also matches slashes."""
    match = _S3.fullmatch(resource)
    return resource == "*" or (match is not None and (match[3] is not None or match[2].endswith("*")))


def _misplaced(
    statement: Statement, scope: Scope, action: str, right: Callable[[str], bool]
) -> list[re.Match[str]]:
    """The S3 resources on which the statement allows `action`, if no statement allows it on the kind of resource that
    the action needs."""
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
    """The prefixes that the document allows to read in the buckets of the statement, from resources BUCKET/PREFIX*."""
    reading = (each for each in statements(scope.document) if allows(each) and covers(each, READ))
    found = (_S3.fullmatch(resource) for each in reading for resource in resources(each))
    return [
        match[3].rstrip("*")
        for match in found
        if match
        and match[3] is not None
        and any(like(match[1] + match[2], each) for each in resources(statement))
    ]
