"""Text from outside, as SQLite can hold it."""


def storable(text: str) -> str:
    """The text itself, unless it is no Unicode text: headers that are not UTF-8 arrive with lone surrogates."""
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
