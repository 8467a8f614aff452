"""The documents that `s3haul policy` can print one by one, and their names."""

from enum import StrEnum

from s3haul.policies.documents import Document, Documents


class Part(StrEnum):
    """One document; the values are those of `--only` and the names in the JSON of all."""

    CALLER = "caller"
    TRUST = "trust"
    PERMISSIONS = "permissions"
    KEY = "key"
    SESSION = "session"


def by_part(made: Documents) -> dict[Part, Document]:
    """All documents that exist, in the order in which they are created in the accounts."""
    found = {
        Part.TRUST: made.trust_policy,
        Part.PERMISSIONS: made.role_policy,
        Part.KEY: made.key_policy,
        Part.CALLER: made.caller_policy,
        Part.SESSION: made.session_policy,
    }
    return {part: document for part, document in found.items() if document is not None}
