"""The policy linter: checks the grammar of a document, then applies every rule to every statement. Pure.

AWS refuses errors of grammar when the policy is saved (MalformedPolicyDocument), so they never occur in a
run. The grammar is that of the IAM User Guide. The rules are few, and only about access as s3haul needs it.
There is no list of all AWS actions, because it would get out of date. Each finding has the id and the AWS
message that a run would show.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from s3haul.policies import lint_permissions, lint_trust
from s3haul.policies.documents import VERSION, Statement
from s3haul.policies.statements import Finding, Scope, label, listed, statements

SHAPE = "unknown-shape"
DEEPEST = 4  # levels of JSON objects around a policy; the output of the AWS CLI has two
RULES = (*lint_permissions.RULES, *lint_trust.RULES)


def lint(document: Any, *, account: str | None = None, region: str | None = None) -> list[Finding]:
    """The mistakes in one policy. `account` is that of the role, `region` that of the bucket, if known."""
    broken = [
        Finding(
            rule=SHAPE,
            diagnosis="",
            who="the author of the policy",
            statement=_name(document, flaw.statement),
            text=flaw.text,
            said="MalformedPolicyDocument, when the policy is saved",
            corrected=() if flaw.corrected is None else (flaw.corrected,),
        )
        for flaw in flaws(document)
    ]
    return broken or list(_findings(Scope(document, account, region)))


def documents_in(value: Any, name: str = "", depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """The policies in a JSON value, each with its location. The value is a policy, the output of `s3haul
    policy`, or that of the AWS CLI about a role (PolicyDocument, AssumeRolePolicyDocument) or a key
    (Policy)."""
    inner = _inner(value) if depth else {}
    found = [
        each
        for key, nested in inner.items()
        for each in documents_in(nested, f"{name}.{key}".lstrip("."), depth - 1)
    ]
    policies = [(where, policy) for where, policy in found if "Statement" in policy]
    yield from policies or [(name, value)]


def _findings(scope: Scope) -> Iterator[Finding]:
    for number, statement in enumerate(statements(scope.document), 1):
        for rule in RULES:
            problem = rule.find(statement, scope)
            if problem is not None:
                yield Finding(
                    rule=rule.id,
                    diagnosis=problem.id or rule.diagnosis,
                    who=rule.who,
                    statement=label(statement, number),
                    text=problem.text,
                    said=problem.said,
                    corrected=problem.corrected,
                )


def _name(document: Any, number: int) -> str:
    if not number:
        return ""
    statement = statements(document)[number - 1]
    return label(statement, number) if isinstance(statement, dict) else f"#{number}"


def _inner(value: Any) -> dict[str, dict[str, Any]]:
    """The nested objects of an object that is not a policy."""
    if not isinstance(value, dict) or "Statement" in value:
        return {}
    parsed = {key: _parsed(each) for key, each in value.items()}
    return {key: each for key, each in parsed.items() if isinstance(each, dict)}


def _parsed(value: Any) -> Any:
    """Parse a policy that is given as a JSON string, as in the output of KMS."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


class Flaw(NamedTuple):
    """`statement` counts from 1; 0 is the document itself."""

    statement: int
    text: str
    corrected: Statement | None = None


_VERSIONS = (VERSION, "2008-10-17")
_SID = re.compile(r"[A-Za-z0-9]*")
_DOCUMENT = frozenset({"Version", "Id", "Statement"})
_STATEMENT = (
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
)


def flaws(document: Any) -> Iterator[Flaw]:
    """All errors of grammar in the value."""
    if not isinstance(document, dict) or "Statement" not in document:
        yield Flaw(0, "it is not a policy: there is no Statement")
        return
    for name in document.keys() - _DOCUMENT:
        yield Flaw(0, f"a policy has no element {name!r}")
    if document.get("Version", VERSION) not in _VERSIONS:
        yield Flaw(0, f"Version is {document['Version']!r}; it must be {VERSION!r}")
    found = listed(document["Statement"])
    if not found:
        yield Flaw(0, "the list of statements is empty")
    attached = any(isinstance(each, dict) and {"Principal", "NotPrincipal"} & each.keys() for each in found)
    for number, statement in enumerate(found, 1):
        if not isinstance(statement, dict):
            yield Flaw(number, "a statement must be an object")
            continue
        for text in _statement_flaws(statement, attached=attached):
            yield Flaw(number, text, _corrected(statement, attached=attached))


def _statement_flaws(statement: Statement, *, attached: bool) -> Iterator[str]:
    for name in statement.keys() - set(_STATEMENT):
        yield f"a statement has no element {name!r}"
    if statement.get("Effect") not in {"Allow", "Deny"}:
        yield "Effect must be Allow or Deny"
    if not attached and not _SID.fullmatch(str(statement.get("Sid", ""))):
        yield "Sid may contain only A-Z a-z 0-9"
    yield from _missing(statement, attached=attached)
    yield from _mistyped(statement)


def _missing(statement: Statement, *, attached: bool) -> Iterator[str]:
    """Elements that are missing, exclude each other, or are not allowed."""
    for name in ("Action", "Resource", "Principal"):
        if {name, f"Not{name}"} <= statement.keys():
            yield f"{name} and Not{name} exclude each other"
    if not {"Action", "NotAction"} & statement.keys():
        yield "there is no Action"
    if attached and not {"Principal", "NotPrincipal"} & statement.keys():
        yield "there is no Principal, but other statements have one"
    if not attached and not {"Resource", "NotResource"} & statement.keys():
        yield "there is no Resource"
    if attached and "Resource" in statement and _about_sts(statement):
        yield "a trust policy must not have a Resource: the resource is the role itself"


def _mistyped(statement: Statement) -> Iterator[str]:
    for name in ("Action", "NotAction", "Resource", "NotResource"):
        if name in statement and not _texts(statement[name]):
            yield f"{name} must be a string or a list of strings"
    for name in ("Principal", "NotPrincipal"):
        if name in statement and not _is_principal(statement[name]):
            yield f'{name} must be "*" or an object such as {{"AWS": "arn:..."}}'
    if "Condition" in statement and not _is_condition(statement["Condition"]):
        yield "Condition must be {operator: {key: value or values}}"


def _about_sts(statement: Statement) -> bool:
    return all(str(action).lower().startswith("sts:") for action in listed(statement.get("Action", "")))


def _texts(value: Any) -> bool:
    return bool(listed(value)) and all(isinstance(each, str) for each in listed(value))


def _is_principal(value: Any) -> bool:
    if isinstance(value, dict):
        return bool(value) and all(_texts(each) for each in value.values())
    return bool(value == "*")


def _is_condition(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(block, dict)
        and all(
            isinstance(each, str | bool | int | float) for values in block.values() for each in listed(values)
        )
        for block in value.values()
    )


def _corrected(statement: Statement, *, attached: bool) -> Statement | None:
    """The statement with corrected names of elements, and without those that are not allowed,
    if that makes it valid."""
    spelled = {name.lower(): name for name in _STATEMENT} | {f"{name.lower()}s": name for name in _STATEMENT}
    renamed = {spelled.get(name.lower(), name): value for name, value in statement.items()}
    if isinstance(renamed.get("Effect"), str):
        renamed["Effect"] = renamed["Effect"].capitalize()
    if attached and _about_sts(renamed):
        renamed.pop("Resource", None)
    elif "Sid" in renamed:
        renamed["Sid"] = re.sub(r"[^A-Za-z0-9]", "", str(renamed["Sid"]))
    return renamed if not list(_statement_flaws(renamed, attached=attached)) else None
