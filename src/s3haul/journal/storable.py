"""Converts text from outside to text that SQLite can store."""


def storable(text: str) -> str:
    """The text, with lone surrogates escaped: header values that are not UTF-8 contain them."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def key_bytes(key: str) -> str | bytes:
    """A key as a parameter that stands in CAST(? AS TEXT): one whose bytes are no UTF-8 (lone surrogates) as
    those very bytes, any other as it is. Raises ValueError for what no bytes stand behind."""
    if key.isascii():
        return key
    raw = key.encode("utf-8", "surrogateescape")
    try:
        raw.decode()
    except UnicodeDecodeError:
        return raw
    return key
