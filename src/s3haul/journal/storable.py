"""Text from outside, as SQLite can hold it."""


def storable(text: str) -> str:
    """The text itself, unless it is no Unicode text: headers that are not UTF-8 arrive with lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def bound(key: str) -> bytes:
    """A key as the bound of a range, for CAST(? AS TEXT): the listing may end with one that is no UTF-8 text."""
    return key.encode("utf-8", "surrogateescape")
