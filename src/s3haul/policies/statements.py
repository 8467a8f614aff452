"""A policy statement and its parts (actions, resources, principals, conditions),
and what a lint rule finds in it.

Only for statements whose grammar `lint` has checked. A single value may be given in place of a list.
"""

import copy
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from s3haul.policies.documents import Document, Statement, shortest


class Clause(NamedTuple):
    """One test of a Condition; `operator` as written, `key` in lower case."""

    operator: str
    key: str
    values: list[str]

    @property
    def base(self) -> str:
        """The operator without its set prefix and IfExists suffix."""
        return self.operator.rpartition(":")[2].removesuffix("IfExists")


def listed(value: Any) -> list[Any]:
    """A list: the value itself if it is one, else a list of one value."""
    return value if isinstance(value, list) else [value]


def statements(document: Document) -> list[Statement]:
    return listed(document["Statement"])


def label(statement: Statement, number: int) -> str:
    """Its name in messages: the Sid, or its number, counted from 1."""
    return statement.get("Sid") or f"#{number}"


def allows(statement: Statement) -> bool:
    return bool(statement["Effect"] == "Allow")


def actions(statement: Statement) -> list[str]:
    return listed(statement.get("Action", []))


def resources(statement: Statement) -> list[str]:
    return listed(statement.get("Resource", []))


def covers(statement: Statement, action: str) -> bool:
    """Whether the Action element matches `action`. A statement with NotAction never matches."""
    return any(like(action.lower(), pattern.lower()) for pattern in actions(statement))


def principals(statement: Statement) -> list[str]:
    """The AWS principals; a bare "*" is one."""
    named = statement.get("Principal", {})
    return [named] if isinstance(named, str) else listed(named.get("AWS", []))


def clauses(statement: Statement) -> Iterator[Clause]:
    for operator, block in statement.get("Condition", {}).items():
        for key, values in block.items():
            yield Clause(operator, key.lower(), [str(value) for value in listed(values)])


def with_clauses(statement: Statement, *changes: tuple[str, str, list[str] | None]) -> Statement:
    """A copy with the condition (operator, key) set to `values` for each change; None removes it."""
    changed = copy.deepcopy(statement)
    blocks = changed.setdefault("Condition", {})
    for operator, key, values in changes:
        block = blocks.setdefault(operator, {})
        for name in [name for name in block if name.lower() == key.lower()]:
            del block[name]
        if values is not None:
            block[key] = shortest(values)
        if not block:
            del blocks[operator]
    if not blocks:
        del changed["Condition"]
    return changed


def like(value: str, pattern: str) -> bool:
    """Match with IAM's wildcards: * is any text, ? is any character."""
    return _compiled(pattern).fullmatch(value) is not None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


OWNER, YOU = "data owner", "you"


@dataclass(frozen=True, slots=True)
class Scope:
    """The context of a statement: the whole document, and values that the user gave."""

    document: Document
    account: str | None = None
    region: str | None = None

    @property
    def attached(self) -> bool:
        """Whether it is a resource-based policy (trust policy, key policy, bucket policy),
        which names principals."""
        return any("Principal" in each or "NotPrincipal" in each for each in statements(self.document))

    def others(self, statement: Statement) -> list[Statement]:
        return [each for each in statements(self.document) if each is not statement]


class Problem(NamedTuple):
    """`said` is the error message of AWS at run time. `corrected` are the statements to replace the wrong one
    with; words in capitals in them are placeholders."""

    text: str
    said: str
    corrected: tuple[Statement, ...] = ()
    id: str | None = None  # if it differs from that of the rule


class Rule(NamedTuple):
    """`id` is the name of the rule, `diagnosis` the S3H id that a run reports for this mistake."""

    id: str
    diagnosis: str
    who: str
    find: Callable[[Statement, Scope], Problem | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One mistake in one statement. `statement` is its Sid or its number ("#2");
    "" for the whole document."""

    rule: str
    diagnosis: str
    who: str
    statement: str
    text: str
    said: str
    corrected: tuple[Statement, ...] = ()
