"""Which names a disk may take for one another, as macOS, Windows, exFAT, SMB and ext4 with casefold do. Pure.

`fold` is coarser than any of them: names that one of them confuses fold to the same text. A name that is
confused with another only here gets an encoded name without need, which does no harm.
"""

import re
import unicodedata

# What ext4 with casefold, and HFS+, drop before they compare names: Default_Ignorable_Code_Point.
IGNORABLE = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
# What Windows invents as a second, short name of a file: LONGFI~1.TXT.
_SHORT = re.compile(r"[^.]{1,6}~[0-9]{1,6}(\.[^.]{0,3})?", re.DOTALL)


def fold(name: str) -> str:
    """The text that all names which a disk may take for `name` have in common: case, Unicode form,
    invisible characters, and dots or spaces at the end do not count."""
    if name.isascii():
        return name.lower().rstrip(". ")
    text = IGNORABLE.sub("", unicodedata.normalize("NFKD", name))
    # Twice, since some letters have an upper case in common and no lower one (dotless i), or gain a mark.
    for _ in range(2):
        text = unicodedata.normalize("NFKD", text.casefold().upper().casefold())
    return text.rstrip(". ")


def is_short_alias(name: str) -> bool:
    """Whether a disk may have given `name` to a file with another, longer name."""
    return _SHORT.fullmatch(name) is not None
