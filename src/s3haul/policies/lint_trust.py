"""Lint rules for who may assume the role: principals and External ID of the trust policy,
and the caller's policy.

The rules about principals also apply to key and bucket policies. A trust policy that allows too much causes
no error at run time; then `said` states that.
"""

import re
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from s3haul.options import RoleOptions
from s3haul.policies.documents import Statement, shortest
from s3haul.policies.names import ACCOUNT, Arn, account_of, external_id_problem, principal_of
from s3haul.policies.statements import (
    OWNER,
    YOU,
    Clause,
    Problem,
    Rule,
    Scope,
    actions,
    allows,
    clauses,
    covers,
    listed,
    principals,
    resources,
    with_clauses,
)

ASSUME = "sts:AssumeRole"
_SAID = "AccessDenied: User: ... is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::ACCOUNT-ID:role/ROLE"
_ANYBODY = "arn:aws:iam::ACCOUNT-ID:root"
_NARROWING = frozenset(
    {
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "kms:calleraccount",
    }
)
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[\w*?-]+:role/.+|\*", re.ASCII)
_UNIQUE_IDS = ("AIDA", "AROA")
_MFA_KEYS = frozenset({"aws:multifactorauthpresent", "aws:multifactorauthage"})
_ORPHAN = re.compile(r"A(ID|RO)A[A-Z0-9]{12,}")


def no_external_id(statement: Statement, scope: Scope) -> Problem | None:
    """A role for another account without an External ID:
    anyone who knows the ARN can make that account use it."""
    if not (allows(statement) and covers(statement, ASSUME) and _other_accounts(statement, scope)):
        return None
    if any(
        clause.base in {"StringEquals", "StringLike"} and "*" not in clause.values
        for clause in _external_id(statement)
    ):
        return None
    found = [(clause.operator, clause.key, None) for clause in _external_id(statement)]
    corrected = with_clauses(statement, *found, ("StringEquals", "sts:ExternalId", ["EXTERNAL-ID"]))
    return Problem(
        "another account may assume the role without an External ID",
        "no error: anyone who can make the trusted account assume the role gets access (confused deputy)",
        (corrected,),
    )


def unusable_external_id(statement: Statement, scope: Scope) -> Problem | None:
    """An External ID that no request can contain."""
    del scope
    for clause in _external_id(statement):
        problems = [external_id_problem(value) for value in clause.values if clause.base == "StringEquals"]
        if any(problems):
            own = ("StringEquals", "sts:ExternalId", ["EXTERNAL-ID"])
            return Problem(
                f"the External ID {next(filter(None, problems))}",
                f"{_SAID}; or ValidationError if that value is sent",
                (with_clauses(statement, (clause.operator, clause.key, None), own),),
            )
    return None


def anybody(statement: Statement, scope: Scope) -> Problem | None:
    """Principal "*" without a condition on the account, organisation or ARN."""
    if "*" not in principals(statement) or not allows(statement):
        return None
    if _NARROWING & {clause.key for clause in clauses(statement)}:
        return None
    named = (
        f"arn:aws:iam::{scope.account}:root" if scope.account and not covers(statement, ASSUME) else _ANYBODY
    )
    return Problem(
        'Principal "*" means every AWS account',
        "no error: everybody has access",
        (statement | {"Principal": {"AWS": named}},),
    )


def session_as_principal(statement: Statement, scope: Scope) -> Problem | None:
    """A session is trusted instead of its role. The next session has another ARN."""
    del scope
    if not any(":assumed-role/" in each for each in principals(statement)):
        return None
    roles = [principal_of(each) for each in principals(statement)]
    return Problem(
        "the principal is one session of a role, not the role",
        _SAID,
        (statement | {"Principal": statement["Principal"] | {"AWS": shortest(roles)}},),
    )


def orphaned_principal(statement: Statement, scope: Scope) -> Problem | None:
    """IAM replaces the ARN of a deleted user or role by its unique id.
    A new one with the same name has another id."""
    del scope
    if not any(_ORPHAN.fullmatch(each) for each in principals(statement)):
        return None
    named = [_ANYBODY if _ORPHAN.fullmatch(each) else each for each in principals(statement)]
    return Problem(
        "a principal is the id of a user or role that was deleted",
        _SAID,
        (statement | {"Principal": statement["Principal"] | {"AWS": shortest(named)}},),
    )


def assume_no_role(statement: Statement, scope: Scope) -> Problem | None:
    """The caller's policy must contain the ARN of the role."""
    if scope.attached or not (allows(statement) and covers(statement, ASSUME)) or not _mainly_sts(statement):
        return None
    if not resources(statement) or any(_ROLE.fullmatch(each) for each in resources(statement)):
        return None
    named = [
        principal_of(each) if ":assumed-role/" in each else _placeholder(each)
        for each in resources(statement)
    ]
    return Problem(
        f"sts:AssumeRole is allowed on {resources(statement)[0]}, which is not the ARN of a role",
        f"{_SAID} because no identity-based policy allows the sts:AssumeRole action",
        (statement | {"Resource": shortest(named)},),
    )


RULES = (
    Rule("no-external-id", "S3H-STS-03", OWNER, no_external_id),
    Rule("unusable-external-id", "S3H-STS-09", OWNER, unusable_external_id),
    Rule("anybody", "S3H-STS-05", OWNER, anybody),
    Rule("session-as-principal", "S3H-STS-05", OWNER, session_as_principal),
    Rule("orphaned-principal", "S3H-STS-06", OWNER, orphaned_principal),
    Rule("assume-no-role", "S3H-STS-04", YOU, assume_no_role),
)


def _external_id(statement: Statement) -> list[Clause]:
    return [clause for clause in clauses(statement) if clause.key == "sts:externalid"]


def _other_accounts(statement: Statement, scope: Scope) -> list[str]:
    """AWS principals of other accounts; all of them if the role's account is unknown."""
    return [
        each for each in principals(statement) if scope.account is None or _account(each) != scope.account
    ]


def _account(principal: str) -> str:
    return principal if ACCOUNT.fullmatch(principal) else account_of(principal)


def _mainly_sts(statement: Statement) -> bool:
    return any(action.lower().startswith("sts:") for action in actions(statement))


def _placeholder(text: str) -> str:
    return f"arn:aws:iam::{_account(text) or 'ACCOUNT-ID'}:role/ROLE"


def trust_diagnosis_id(policy: Mapping[str, Any], caller_arn: str, role: RoleOptions) -> str:
    """The row for a caller that STS refused, because STS does not say why;
    S3H-STS-03 if the policy shows no reason.

    It looks for the common mistakes in one trust policy for one caller; it is not a policy evaluator.
    """
    allows = [one for one in listed(policy.get("Statement", [])) if one.get("Effect") == "Allow"]
    names = set(_matching_principals(caller_arn))
    matching = [one for one in allows if names & {*principals(one)}]
    if not matching:
        orphans = any(str(name).startswith(_UNIQUE_IDS) for one in allows for name in principals(one))
        return "S3H-STS-06" if orphans else "S3H-STS-05"
    if not any(_external_id_fits(one, role.external_id) for one in matching):
        return "S3H-STS-03"
    mfa = all(_MFA_KEYS & {clause.key for clause in clauses(one)} for one in matching)
    return "S3H-STS-08" if mfa and role.mfa_serial is None else "S3H-STS-03"


def _matching_principals(caller_arn: str) -> Iterator[str]:
    """All principals of a trust policy that match the caller."""
    yield from ("*", caller_arn)
    if arn := Arn.parse(caller_arn):
        yield from (arn.account, f"arn:{arn.partition}:iam::{arn.account}:root", principal_of(caller_arn))


def _external_id_fits(statement: dict[str, Any], given: str | None) -> bool:
    tests = [clause for clause in clauses(statement) if clause.key == "sts:externalid"]
    return not tests or (given is not None and all(_matches(clause, given) for clause in tests))


def _matches(clause: Clause, given: str) -> bool:
    if clause.operator.startswith("StringLike"):
        return any(fnmatchcase(given, value) for value in clause.values)
    return given in clause.values
