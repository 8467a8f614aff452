"""The types of lint rules and their findings. The rules are in `lint_*`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from s3haul.policies.documents import Document, Statement
from s3haul.policies.statements import statements

OWNER, YOU = "data owner", "you"


@dataclass(frozen=True, slots=True)
class Scope:
    """The context of a statement: the whole document, and values that the user gave."""

    document: Document
    account: str | None = None
    region: str | None = None

    @property
    def attached(self) -> bool:
        """Whether it is a resource-based policy (trust policy, key policy, bucket policy), which names principals."""
        return any("Principal" in each or "NotPrincipal" in each for each in statements(self.document))

    def others(self, statement: Statement) -> list[Statement]:
        return [each for each in statements(self.document) if each is not statement]


class Problem(NamedTuple):
    """`said` is the error message of AWS at run time. `corrected` are the statements to replace the wrong one with;
    words in capitals in them are placeholders."""

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
    """One mistake in one statement. `statement` is its Sid or its number ("#2"); "" for the whole document."""

    rule: str
    diagnosis: str
    who: str
    statement: str
    text: str
    said: str
    corrected: tuple[Statement, ...] = ()
