"""Memory for bodies: buffers of a piece each, used again as soon as nobody looks at them.

A piece that is handed out is a view; as long as any view on a buffer lives (in a list, in a thread that
writes it), the buffer is left alone. So a consumer may keep what it was given.
"""

import sys

LARGEST_PIECE = 1 << 20  # bytes
MOST_KEPT = 32

# What getrefcount counts when only the list holds the buffer: the list, the loop variable, the argument.
_UNUSED = 3


class Pieces:
    """The buffers of one pool of connections."""

    def __init__(self) -> None:
        self._kept: list[bytearray] = []

    def take(self, size: int) -> memoryview:
        """A view of `size` bytes, at most LARGEST_PIECE, with any content."""
        if size < LARGEST_PIECE:
            # Consumers keep small bodies for a while: these get memory of just their size.
            return memoryview(bytearray(size))
        for buffer in self._kept:
            if sys.getrefcount(buffer) == _UNUSED:
                return memoryview(buffer)
        fresh = bytearray(LARGEST_PIECE)
        if len(self._kept) < MOST_KEPT:
            self._kept.append(fresh)
        return memoryview(fresh)
