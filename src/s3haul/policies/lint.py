"""The policy linter: applies every rule to every statement of a document. Pure.

The rules are few, and only about access as s3haul needs it. There is no list of all AWS actions, because it would get
out of date. Each finding has the id and the AWS message that a run would show for the mistake.
"""

import json
from collections.abc import Iterator
from typing import Any

from s3haul.policies import lint_kms, lint_s3, lint_trust
from s3haul.policies.findings import Finding, Scope
from s3haul.policies.shape import flaws
from s3haul.policies.statements import label, statements

SHAPE = "unknown-shape"
DEEPEST = 4  # levels of JSON objects around a policy; the output of the AWS CLI has two
RULES = (*lint_s3.RULES, *lint_kms.RULES, *lint_trust.RULES)


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
    """The policies in a JSON value, each with its location. The value is a policy, the output of `s3haul policy`, or
    that of the AWS CLI about a role (PolicyDocument, AssumeRolePolicyDocument) or a key (Policy)."""
    inner = _inner(value) if depth else {}
    found = [
        each
        for key, held in inner.items()
        for each in documents_in(held, f"{name}.{key}".lstrip("."), depth - 1)
    ]
    policies = [(where, held) for where, held in found if "Statement" in held]
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
    held = {key: _parsed(each) for key, each in value.items()}
    return {key: each for key, each in held.items() if isinstance(each, dict)}


def _parsed(value: Any) -> Any:
    """Parse a policy that is given as a JSON string, as in the output of KMS."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
