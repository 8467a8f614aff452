"""What a lint rule is and what it finds. No rule lives here."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from s3haul.policies.documents import Document, Statement
from s3haul.policies.statements import statements

OWNER, YOU = "data owner", "you"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a rule may know besides its statement: the whole document, and what the user told."""

    document: Document
    account: str | None = None
    region: str | None = None

    @property
    def attached(self) -> bool:
        """Whether it hangs on a resource (a role's trust, a key, a bucket) and so names principals."""
        return any("Principal" in each or "NotPrincipal" in each for each in statements(self.document))

    def others(self, statement: Statement) -> list[Statement]:
        return [each for each in statements(self.document) if each is not statement]


class Problem(NamedTuple):
    """`said` is what AWS will answer at run time; `corrected` are the statements to put in the place of
    the one at fault, with words in capitals where only people know the value."""

    text: str
    said: str
    corrected: tuple[Statement, ...] = ()
    id: str | None = None  # where it differs from the rule's


class Rule(NamedTuple):
    """`id` is the rule's own name, `diagnosis` the S3H id under which the fault shows at run time."""

    id: str
    diagnosis: str
    who: str
    find: Callable[[Statement, Scope], Problem | None]


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one statement. `statement` is its Sid or its place ("#2"); "" for the whole document."""

    rule: str
    diagnosis: str
    who: str
    statement: str
    text: str
    said: str
    corrected: tuple[Statement, ...] = ()
