"""The policy linter: every rule over every statement of one document. Pure.

The rules are few and about this recipe; what rights AWS has is not known here, since a list of them goes
stale. Each finding says what the mistake will look like in a run, by the id under which a run reports it.
"""

import json
from collections.abc import Iterator
from typing import Any

from s3haul.access import lint_kms, lint_s3, lint_trust
from s3haul.access.findings import OWNER, Finding, Scope
from s3haul.access.shape import flaws
from s3haul.access.statements import label, statements

SHAPE = "unknown-shape"
RULES = (*lint_s3.RULES, *lint_kms.RULES, *lint_trust.RULES)


def lint(document: Any, *, account: str | None = None, region: str | None = None) -> list[Finding]:
    """What is wrong with one policy. `account` is the role's, `region` the bucket's, where they are known."""
    broken = [
        Finding(
            rule=SHAPE,
            diagnosis="",
            who=OWNER,
            statement=_name(document, flaw.statement),
            text=flaw.text,
            said="MalformedPolicyDocument, when the policy is saved",
            corrected=() if flaw.corrected is None else (flaw.corrected,),
        )
        for flaw in flaws(document)
    ]
    return broken or list(_judged(Scope(document, account, region)))


def documents_in(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """The policies in a JSON value, each with where it was found: a policy itself, the JSON of `s3haul policy`,
    or what the AWS CLI prints about a role (PolicyDocument, AssumeRolePolicyDocument) or a key (Policy)."""
    if isinstance(value, dict) and "Statement" not in value:
        held = {key: _parsed(each) for key, each in value.items()}
        inner = {key: each for key, each in held.items() if isinstance(each, dict) and _holds_policy(each)}
        if inner:
            for key, each in inner.items():
                yield from documents_in(each, f"{name}.{key}" if name else key)
            return
    yield name, value


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


def _holds_policy(value: dict[str, Any]) -> bool:
    return "Statement" in value or any(
        isinstance(each, dict) and _holds_policy(each) for each in map(_parsed, value.values())
    )


def _parsed(value: Any) -> Any:
    """A policy may stand in a policy's wrapper as JSON in a text, as KMS gives it."""
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
