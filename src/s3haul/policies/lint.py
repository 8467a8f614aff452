"""The policy linter: every rule over every statement of one document. Pure.

The rules are few and about this recipe; what rights AWS has is not known here, since a list of them goes
stale. Each finding says what the mistake will look like in a run, by the id under which a run reports it.
"""

import json
from collections.abc import Iterator
from typing import Any

from s3haul.policies import lint_kms, lint_s3, lint_trust
from s3haul.policies.findings import Finding, Scope
from s3haul.policies.shape import flaws
from s3haul.policies.statements import label, statements

SHAPE = "unknown-shape"
DEEPEST = 4  # objects around a policy; the AWS CLI has two
RULES = (*lint_s3.RULES, *lint_kms.RULES, *lint_trust.RULES)


def lint(document: Any, *, account: str | None = None, region: str | None = None) -> list[Finding]:
    """What is wrong with one policy. `account` is the role's, `region` the bucket's, where they are known."""
    broken = [
        Finding(
            rule=SHAPE,
            diagnosis="",
            who="whoever saves the policy",
            statement=_name(document, flaw.statement),
            text=flaw.text,
            said="MalformedPolicyDocument, when the policy is saved",
            corrected=() if flaw.corrected is None else (flaw.corrected,),
        )
        for flaw in flaws(document)
    ]
    return broken or list(_judged(Scope(document, account, region)))


def documents_in(value: Any, name: str = "", depth: int = DEEPEST) -> Iterator[tuple[str, Any]]:
    """The policies in a JSON value, each with where it was found: a policy itself, the JSON of `s3haul policy`,
    or what the AWS CLI prints about a role (PolicyDocument, AssumeRolePolicyDocument) or a key (Policy)."""
    inner = _inner(value) if depth else {}
    found = [
        each
        for key, held in inner.items()
        for each in documents_in(held, f"{name}.{key}".lstrip("."), depth - 1)
    ]
    policies = [(where, held) for where, held in found if "Statement" in held]
    yield from policies or [(name, value)]


def _judged(scope: Scope) -> Iterator[Finding]:
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
    """The objects that an object other than a policy holds."""
    if not isinstance(value, dict) or "Statement" in value:
        return {}
    held = {key: _parsed(each) for key, each in value.items()}
    return {key: each for key, each in held.items() if isinstance(each, dict)}


def _parsed(value: Any) -> Any:
    """A policy may stand in a policy's wrapper as JSON in a text, as KMS gives it."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value
