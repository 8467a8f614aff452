"""`--include` and `--exclude`, with the rules of `aws s3 cp`: everything is selected at first, and the
last pattern that matches decides.

Patterns are shell globs over the key without the source prefix; `*` also matches "/".
"""

import re
from collections.abc import Callable
from fnmatch import translate

from s3haul.core.text import human_count

Filters = tuple[tuple[bool, str], ...]  # (include?, pattern), in the order of the command line


def selector(filters: Filters) -> Callable[[str], bool]:
    """A predicate over relative keys for (include?, pattern) pairs in command-line order."""
    rules = [(include, re.compile(translate(pattern)).match) for include, pattern in reversed(filters)]

    def selected(relative_key: str) -> bool:
        for include, matches in rules:
            if matches(relative_key):
                return include
        return True

    return selected


def literal_prefixes(filters: Filters) -> tuple[str, ...]:
    """What the patterns of `--include` begin with, before their first wildcard, where that is anything."""
    literal = (re.split(r"[*?\[]", pattern, maxsplit=1)[0] for include, pattern in filters if include)
    return tuple(prefix for prefix in literal if prefix)


def idle(filters: Filters) -> str | None:
    """What is wrong with filters that cannot do what they look like; None if nothing is."""
    if filters and all(include for include, _ in filters):
        return "--include alone leaves nothing out: write --exclude '*' before it"
    if len(filters) > 1 and filters[-1] == (False, "*"):
        return "--exclude '*' comes last and takes back every --include: write it first"
    return None


def nothing_selected(filters: Filters, filtered: int) -> str:
    """Why a run has nothing to do: the filters, or there is nothing."""
    if not filtered:
        return "Nothing is there: the bucket or the list is empty, or no key begins with the prefix."
    if not filters:
        return f"No object of {human_count(filtered)} meets the conditions of size, age, storage class and --regex."
    hint = (
        idle(filters)
        or "the last pattern that matches a key decides, and a pattern sees the key without the prefix"
    )
    return f"The filters leave nothing of {human_count(filtered, 'object')}: {hint}."
