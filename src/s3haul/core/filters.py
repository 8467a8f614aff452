"""`--include` and `--exclude`, with the rules of `aws s3 cp`: everything is selected at first, and the
last pattern that matches decides.

Patterns are shell globs over the key without the source prefix; `*` also matches "/".
"""

import re
from collections.abc import Callable
from fnmatch import translate

from s3haul.core.text import human_count

MOST_PREFIXES = 100  # that are listed one by one; with more of them, everything is

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


def prefixes_to_list(filters: Filters, prefix: str) -> tuple[str, ...]:
    """What the keys below `prefix` begin with that can be selected at all: nothing else needs to be listed. None
    begins with another one."""
    taken: list[str] | None = None  # None: everything that was not left out
    for include, pattern in filters:
        if not include and pattern and not pattern.strip("*"):
            taken = []
        elif include and taken is not None:
            taken.append(_literal(pattern))
    wanted: list[str] = []
    for begin in sorted(set(taken or ())):
        if not wanted or not begin.startswith(wanted[-1]):
            wanted.append(begin)
    if not wanted or len(wanted) > MOST_PREFIXES:
        return (prefix,)
    return tuple(prefix + begin for begin in wanted)


def literal_prefixes(filters: Filters) -> tuple[str, ...]:
    """What the patterns of `--include` begin with, before their first wildcard, where that is anything."""
    literal = (_literal(pattern) for include, pattern in filters if include)
    return tuple(prefix for prefix in literal if prefix)


def _literal(pattern: str) -> str:
    """What a pattern begins with before its first wildcard."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def idle(filters: Filters) -> str | None:
    """What is wrong with filters that cannot do what they look like; None if nothing is."""
    if filters and all(include for include, _ in filters):
        return "--include alone leaves nothing out: write --exclude '*' before it"
    if len(filters) > 1 and filters[-1] == (False, "*"):
        return "--exclude '*' comes last and takes back every --include: write it first"
    return None


def nothing_selected(filters: Filters, filtered: int) -> str:
    """Why a run has nothing to do: the filters, or there is nothing."""
    if not filtered and prefixes_to_list(filters, "") != ("",):
        return "No key begins with what --include asks for: keys are case-sensitive, and a pattern sees them without the prefix."
    if not filtered:
        return "Nothing is there: the bucket or the list is empty, or no key begins with the prefix."
    if not filters:
        return f"No object of {human_count(filtered)} meets the conditions of size, age, storage class and --regex."
    hint = (
        idle(filters)
        or "the last pattern that matches a key decides, and a pattern sees the key without the prefix"
    )
    return f"The filters leave nothing of {human_count(filtered, 'object')}: {hint}."
