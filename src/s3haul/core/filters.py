"""`--include` and `--exclude`, with the rules of `aws s3 cp`: everything is selected at first, and the
last pattern that matches decides.

Patterns are shell globs over the key without the source prefix; `*` also matches "/".
"""

import re
from collections.abc import Callable
from fnmatch import translate


def selector(filters: tuple[tuple[bool, str], ...]) -> Callable[[str], bool]:
    """A predicate over relative keys for (include?, pattern) pairs in command-line order."""
    rules = [(include, re.compile(translate(pattern)).match) for include, pattern in reversed(filters)]

    def selected(relative_key: str) -> bool:
        for include, matches in rules:
            if matches(relative_key):
                return include
        return True

    return selected
