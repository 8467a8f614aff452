"""Which objects are selected: by `--include` and `--exclude`, and by size, age,
storage class and regular expression.

Patterns have the rules of `aws s3 cp`: everything is selected at first, and the last pattern that matches
decides. They are shell globs over the key without the source prefix; `*` also matches "/". All other
conditions must hold. Pure.
"""

import re
from collections.abc import Callable
from fnmatch import translate

from s3haul.core.text import human_count
from s3haul.models import ObjectRef
from s3haul.options import Conditions, TransferOptions

MOST_PREFIXES = 100  # that are listed one by one; with more of them, everything is

Filters = tuple[tuple[bool, str], ...]  # (include?, pattern), in the order of the command line


def pattern_selector(filters: Filters) -> Callable[[str], bool]:
    """A predicate over relative keys for (include?, pattern) pairs in command-line order."""
    rules = [(include, re.compile(translate(pattern)).match) for include, pattern in reversed(filters)]

    def selected(relative_key: str) -> bool:
        for include, matches in rules:
            if matches(relative_key):
                return include
        return True

    return selected


def prefixes_to_list(filters: Filters, prefix: str) -> tuple[str, ...]:
    """What the keys below `prefix` begin with that can be selected at all: nothing else needs to be listed.
    None begins with another one."""
    taken: list[str] | None = None  # None: everything that was not left out
    for include, pattern in filters:
        if not include and pattern and not pattern.strip("*"):
            taken = []
        elif include and taken is not None:
            taken.append(_literal(pattern))
    prefixes: list[str] = []
    for begin in sorted(set(taken or ())):
        if not prefixes or not begin.startswith(prefixes[-1]):
            prefixes.append(begin)
    if not prefixes or len(prefixes) > MOST_PREFIXES:
        return (prefix,)
    return tuple(prefix + begin for begin in prefixes)


def literal_prefixes(filters: Filters) -> tuple[str, ...]:
    """What the patterns of `--include` begin with, before their first wildcard, where that is anything."""
    literal = (_literal(pattern) for include, pattern in filters if include)
    return tuple(prefix for prefix in literal if prefix)


def _literal(pattern: str) -> str:
    """What a pattern begins with before its first wildcard."""
    return re.split(r"[*?\[]", pattern, maxsplit=1)[0]


def mistake_in(filters: Filters) -> str | None:
    """Why filters cannot do what they look like; None if they can."""
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
        mistake_in(filters)
        or "the last pattern that matches a key decides, and a pattern sees the key without the prefix"
    )
    return f"The filters leave nothing of {human_count(filtered, 'object')}: {hint}."


def selects_everything(options: TransferOptions) -> bool:
    """Whether `object_selector` selects every object."""
    return not options.filters and options.conditions == Conditions()


def object_selector(options: TransferOptions, base: str) -> Callable[[ObjectRef], bool]:
    """Whether an object is selected, by patterns and conditions;
    `base` is what these do not see of its key."""
    conditions = options.conditions
    selected = key_selector(options, base)
    if conditions == Conditions():
        return lambda ref: selected(ref.plain_key)
    return lambda ref: selected(ref.plain_key) and _meets(conditions, ref)


def key_selector(options: TransferOptions, base: str) -> Callable[[str], bool]:
    """As `object_selector`, as far as the key decides."""
    cut, selected = len(base), pattern_selector(options.filters)
    searches = [re.compile(pattern).search for pattern in options.conditions.regex]
    if not searches:
        return lambda key: selected(key[cut:])
    return lambda key: selected(key[cut:]) and all(search(key[cut:]) for search in searches)


def _meets(conditions: Conditions, ref: ObjectRef) -> bool:
    least, most = conditions.min_size, conditions.max_size
    since, until = conditions.newer_than, conditions.older_than
    return (
        (least is None or ref.size >= least)
        and (most is None or ref.size <= most)
        and (since is None or ref.last_modified >= since)
        and (until is None or ref.last_modified < until)
        and (not conditions.storage_classes or ref.storage_class in conditions.storage_classes)
    )
