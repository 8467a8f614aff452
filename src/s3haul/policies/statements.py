"""Access to the parts of a policy statement: actions, resources, principals and conditions.

Only for statements that `shape` has checked. A single value may be given in place of a list.
"""

import copy
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from s3haul.policies.documents import Document, Statement


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


def shortest(values: list[str]) -> str | list[str]:
    """A single value without a list, as IAM writes it."""
    return values[0] if len(values) == 1 else values


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
