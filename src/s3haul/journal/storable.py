"""Converts text from outside to text that SQLite can store."""


def storable(text: str) -> str:
    """The text, with lone surrogates escaped: header values that are not UTF-8 contain them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
