"""How the heavy half of the program is imported: AWS's SDK and all that it needs."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

_AUTHORITIES = "SSL_CERT_FILE"


@contextmanager
def quick_imports() -> Iterator[None]:
    """Inside, imports take about three quarters of their time. Not for a process with other threads.

    Modules live for ever, so the collector would look at them for nothing: not now, and not when it is
    switched on again, which alone would take 10 ms. aiohttp parses the machine's file of authorities twice
    when it is imported, for contexts that nothing here uses (`aws.tls` makes ours): it finds none.
    """
    before = os.environ.get(_AUTHORITIES)
    os.environ[_AUTHORITIES] = os.devnull
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
        if before is None:
            del os.environ[_AUTHORITIES]
        else:
            os.environ[_AUTHORITIES] = before
