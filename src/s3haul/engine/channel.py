"""A closable bounded channel between one producer and many workers.

`asyncio.Queue` cannot be closed before Python 3.13, and workers must learn that the listing has ended without one
sentinel per worker. It is bounded by items. Each waiting task has a future of its own and is woken alone, so hundreds
of waiting workers cost nothing.
"""

import asyncio
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class ChannelClosedError(Exception):
    """Receive: closed and empty. Send: closed."""


class Channel(Generic[T]):
    """FIFO. `close` lets receivers drain what is left; `discard` throws that away first."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._items: deque[T] = deque()
        self._senders: deque[asyncio.Future[None]] = deque()
        self._receivers: deque[asyncio.Future[None]] = deque()
        self._closed = False

    async def send(self, item: T) -> None:
        """Wait for room, then hand over. Raises `ChannelClosedError` when nobody will receive."""
        while not self._closed and len(self._items) >= self._capacity:
            await _wait(self._senders)
        if self._closed:
            raise ChannelClosedError
        self._items.append(item)
        _wake(self._receivers)

    def push(self, item: T) -> None:
        """Hand over at once, also beyond the capacity: for callers that bound what they push."""
        self._items.append(item)
        _wake(self._receivers)

    async def receive(self) -> T:
        """The next item. Raises `ChannelClosedError` after the last one."""
        while not self._items:
            if self._closed:
                raise ChannelClosedError
            await _wait(self._receivers)
        item = self._items.popleft()
        _wake(self._senders)
        return item

    def close(self) -> None:
        """No more sends; everybody who waits is woken. Closing twice is fine."""
        self._closed = True
        for waiters in (self._senders, self._receivers):
            while waiters:
                _wake(waiters)

    def discard(self) -> int:
        """Close and drop what nobody received yet; returns how many items that were."""
        dropped = len(self._items)
        self._items.clear()
        self.close()
        return dropped

    def statistics(self) -> dict[str, int]:
        """The debugging view."""
        return {
            "items": len(self._items),
            "capacity": self._capacity,
            "waiting_senders": len(self._senders),
            "waiting_receivers": len(self._receivers),
        }


async def _wait(waiters: deque[asyncio.Future[None]]) -> None:
    waiter = asyncio.get_running_loop().create_future()
    waiters.append(waiter)
    try:
        await waiter
    except asyncio.CancelledError:
        if waiter.done() and not waiter.cancelled():
            _wake(waiters)  # the wake-up was meant for somebody: pass it on
        elif waiter in waiters:
            waiters.remove(waiter)
        raise


def _wake(waiters: deque[asyncio.Future[None]]) -> None:
    while waiters:
        waiter = waiters.popleft()
        if not waiter.done():
            waiter.set_result(None)
            return
