"""Which event loops the asynchronous tests run on: asyncio's own, and uvloop too where a module says so."""

import asyncio

import uvloop

FACTORIES = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def pytest_asyncio_loop_factories(config, item):
    """A module, or a class before it, names its loops in LOOPS."""
    chosen = getattr(item.cls, "LOOPS", None) or getattr(item.module, "LOOPS", ("asyncio",))
    return {name: FACTORIES[name] for name in chosen}
