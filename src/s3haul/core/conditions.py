"""What must be true of an object, beside the patterns of `filters`, for it to be selected: size, age, class, regex. Pure.

All given conditions must hold. A key alone decides some of them, before anything else is known of the object.
"""

import re
from collections.abc import Callable

from s3haul.core.filters import selector
from s3haul.models import ObjectRef
from s3haul.options import Conditions, TransferOptions


def choice(options: TransferOptions, base: str) -> Callable[[ObjectRef], bool]:
    """Whether an object is selected, by patterns and conditions; `base` is what these do not see of its key."""
    conditions = options.conditions
    chosen = key_choice(options, base)
    if conditions == Conditions():
        return lambda ref: chosen(ref.plain_key)
    return lambda ref: chosen(ref.plain_key) and _meets(conditions, ref)


def key_choice(options: TransferOptions, base: str) -> Callable[[str], bool]:
    """As `choice`, as far as a key tells."""
    cut, selected = len(base), selector(options.filters)
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
