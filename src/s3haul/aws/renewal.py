"""When credentials are renewed: ahead of their end, by a part of how long they last."""


def advisory_window(duration: float) -> float:
    """How long before its end, in seconds, a session of `duration` seconds is renewed."""
    return min(900.0, duration / 4)


def mandatory_window(duration: float) -> float:
    """How long before its end a failing renewal is tried faster."""
    return min(600.0, duration / 8)
