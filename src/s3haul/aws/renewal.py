"""When credentials are renewed: before they expire, by a part of their lifetime."""


def advisory_window(duration: float) -> float:
    """How many seconds before its end a session of `duration` seconds is renewed."""
    return min(900.0, duration / 4)


def mandatory_window(duration: float) -> float:
    """How many seconds before its end a renewal that fails is retried more often."""
    return min(600.0, duration / 8)
