"""How the heavy half of the program is imported: AWS's SDK and all that it needs."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quick_imports() -> Iterator[None]:
    """Inside, imports take about three quarters of their time.

    Modules live for ever, so the garbage collector would look at them for nothing: not now, and not when it is
    switched on again, which alone would take 10 ms.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
