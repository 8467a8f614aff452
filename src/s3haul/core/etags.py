"""Are two ETags the same? Servers write one with quotes in the listing and bare or weak (`W/`) in a header. Pure."""


def same_etag(one: str, other: str) -> bool:
    """Whether both name one version, whatever stands around the value."""
    return one == other or _value(one) == _value(other)


def _value(etag: str) -> str:
    return etag.strip().removeprefix("W/").strip('"')
