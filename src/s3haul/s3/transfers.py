"""Threads that transfer data: each runs many libcurl transfers at the same time.

A thread waits for its sockets with `poll`, then calls libcurl for each socket that is ready (libcurl's multi
socket interface). epoll would need an extra system call whenever a transfer begins or ends. Nothing here
knows S3: an `Exchange` sets up the handle, and its `end` is called when the transfer has ended.
"""

import contextlib
import math
import select
import socket
import threading
import time
from collections import deque
from typing import Protocol

import pycurl

from s3haul.core.stats import Timings
from s3haul.s3.libcurl import Network, new_handle
from s3haul.store.protocol import RequestTiming

_LONGEST_WAIT = 60.0  # seconds; submissions and timers end it
_TIMED = 8  # one response in so many has its first byte timed
_ENDED = "the transfer thread has ended"
_EVENTS = {
    pycurl.POLL_IN: select.POLLIN,
    pycurl.POLL_OUT: select.POLLOUT,
    pycurl.POLL_INOUT: select.POLLIN | select.POLLOUT,
}


class Exchange(Protocol):
    """One request and its response. All methods are called in the transfer thread, `fail` perhaps in another
    one. What they raise ends the thread."""

    def begin(self, handle: pycurl.Curl) -> None:
        """Set URL, headers and callbacks. The handle still has the options that its last exchange set."""
        ...

    def end(self, handle: pycurl.Curl | None, code: int, message: str) -> None:
        """The transfer has ended. `code` is libcurl's error code, 0 for success.
        Without a handle, it did not begin."""
        ...

    def fail(self, error: BaseException) -> None:
        """The thread has ended because of an unexpected error. `end` may have been called before."""
        ...


class ExchangeSource(Protocol):
    """Supplies more exchanges to a thread that has started all that were submitted. Called in the thread."""

    def next_exchange(self) -> Exchange | None: ...

    def before_wait(self) -> None:
        """The thread is about to wait for the network."""
        ...

    def failed(self, error: BaseException) -> None:
        """The thread ends because of an unexpected error."""
        ...


class TransferThread:
    """The constructor starts the thread, `close` ends it. `submit`, `cancel` and `wake` are thread-safe.

    An unexpected error ends the thread too. It is passed to every exchange, also to those that are submitted
    later, so that it is not taken for a failure of the network.
    """

    def __init__(
        self,
        network: Network,
        connections: int,
        name: str,
        timings: Timings,
        source: ExchangeSource | None = None,
    ) -> None:
        self._network = network
        self._source = source
        self._timings = timings
        self._answered = 0
        self.waited = 0.0  # seconds for the network, in all
        self._waiting: deque[Exchange] = deque()
        self._cancelled: deque[Exchange] = deque()
        self.closing = False
        self._ended = False  # no exchange begins any more
        self._failure: BaseException | None = None
        self._idle: list[pycurl.Curl] = []
        self._running: dict[pycurl.Curl, Exchange] = {}
        self._deadline: float | None = None  # of libcurl's timer
        self._poll = select.poll()
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._poll.register(self._woken, select.POLLIN)
        self._multi = pycurl.CurlMulti()
        self._multi.setopt(pycurl.M_SOCKETFUNCTION, self._watch)
        self._multi.setopt(pycurl.M_TIMERFUNCTION, self._set_timer)
        self._multi.setopt(pycurl.M_MAXCONNECTS, connections)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    @property
    def load(self) -> int:
        """Approximate number of exchanges that are running or waiting."""
        return len(self._running) + len(self._waiting)

    def submit(self, exchange: Exchange) -> None:
        """Start the exchange soon. `end` or `fail` is always called, also if the thread has ended."""
        self._waiting.append(exchange)
        self.wake()
        # The thread ends waiting exchanges after it has set this; this one may have come after that.
        if self._ended:
            self._end_waiting()

    def cancel(self, exchange: Exchange) -> None:
        """End the exchange with `E_ABORTED_BY_CALLBACK`, if it has not ended."""
        self._cancelled.append(exchange)
        self.wake()

    def wake(self) -> None:
        """Make the thread look for submissions and for more exchanges from its source."""
        # Buffer full: the thread will wake anyway. Socket closed: there is no thread to wake.
        with contextlib.suppress(BlockingIOError, OSError):
            self._waker.send(b"\0")

    def close(self) -> None:
        """Abort all transfers, then end the thread."""
        self.closing = True
        self.wake()
        self._thread.join()
        self._waker.close()

    def _run(self) -> None:
        try:
            while not self.closing:
                self._collect()
                self._start_more()
                self._wait()
            for handle in list(self._running):
                self._finish(handle, pycurl.E_ABORTED_BY_CALLBACK, _ENDED)
        except BaseException as error:  # noqa: BLE001 - raised to whoever waits for an exchange
            self._failure = error
            if self._source is not None:
                self._source.failed(error)
            for exchange in self._running.values():
                exchange.fail(error)
        finally:
            self._ended = True
            self._end_waiting()
            self._release()

    def _end_waiting(self) -> None:
        with contextlib.suppress(IndexError):  # none is left: both threads may do this at the same time
            while True:
                exchange = self._waiting.popleft()
                if self._failure is None:
                    exchange.end(None, pycurl.E_ABORTED_BY_CALLBACK, _ENDED)
                else:
                    exchange.fail(self._failure)

    def _start_more(self) -> None:
        while self._waiting:
            self._start(self._waiting.popleft())
        while self._cancelled:
            self._abort(self._cancelled.popleft())
        if self._source is not None:
            while (exchange := self._source.next_exchange()) is not None:
                self._start(exchange)

    def _start(self, exchange: Exchange) -> None:
        try:
            handle = self._idle.pop() if self._idle else new_handle(self._network)
            exchange.begin(handle)
            self._multi.add_handle(handle)
        except (pycurl.error, MemoryError, ValueError) as error:
            exchange.end(None, pycurl.E_FAILED_INIT, str(error))
        except BaseException as error:
            exchange.fail(error)
            raise
        else:
            self._running[handle] = exchange

    def _abort(self, exchange: Exchange) -> None:
        for handle, running in self._running.items():
            if running is exchange:
                self._finish(handle, pycurl.E_ABORTED_BY_CALLBACK, "cancelled")
                return

    def _wait(self) -> None:
        if self._source is not None:
            self._source.before_wait()
        timeout = _LONGEST_WAIT
        if self._deadline is not None:
            timeout = max(0.0, self._deadline - time.monotonic())
        began = time.monotonic()
        ready = self._poll.poll(math.ceil(timeout * 1000))
        self.waited += time.monotonic() - began
        for number, events in ready:
            if number == self._woken.fileno():
                with contextlib.suppress(BlockingIOError):
                    while self._woken.recv(4096):
                        pass
            else:
                self._multi.socket_action(number, _ready(events))
        # libcurl has no timer of its own: connect timeouts,
        # stalls and limits only work if we call it at that time.
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self._deadline = None
            self._multi.socket_action(pycurl.SOCKET_TIMEOUT, 0)

    def _collect(self) -> None:
        more = 1
        while more:
            more, done, failed = self._multi.info_read()
            for handle in done:
                self._time(handle)
                self._finish(handle, 0, "")
            for handle, code, message in failed:
                self._finish(handle, code, message)

    def _time(self, handle: pycurl.Curl) -> None:
        """Report how long a response took: a sample of them to the timings of the run, all to a listener."""
        sampled, listener = self._answered % _TIMED == 0, self._network.on_timing
        self._answered += 1
        if sampled or listener is not None:
            timing = _timing_of(handle)
            if sampled:
                self._timings.first_byte(timing.first_byte)
            if listener is not None:
                listener(timing)

    def _finish(self, handle: pycurl.Curl, code: int, message: str) -> None:
        # Remove it first: libcurl must not touch the handle while `end` resets its
        # callbacks, or when it is reused.
        self._multi.remove_handle(handle)
        self._running[handle].end(handle, code, message)
        del self._running[handle]
        self._idle.append(handle)

    def _release(self) -> None:
        for handle in (*self._running, *self._idle):
            handle.close()
        self._multi.close()
        self._woken.close()

    # Called by libcurl inside `socket_action`, `add_handle` and `remove_handle`

    def _watch(self, event: int, number: int, _multi: pycurl.CurlMulti, _data: object) -> None:
        if event != pycurl.POLL_REMOVE:
            self._poll.register(number, _EVENTS[event])
            return
        with contextlib.suppress(KeyError):  # it was never registered
            self._poll.unregister(number)

    def _set_timer(self, milliseconds: int) -> None:
        self._deadline = None if milliseconds < 0 else time.monotonic() + milliseconds / 1000


def _ready(events: int) -> int:
    """The events of poll as flags of libcurl. Errors and hang-ups count as readable:
    libcurl finds them by reading."""
    readable = events & ~select.POLLOUT
    writable = events & select.POLLOUT
    return (pycurl.CSELECT_IN if readable else 0) | (pycurl.CSELECT_OUT if writable else 0)


def _timing_of(handle: pycurl.Curl) -> RequestTiming:
    """Of the request that the handle has just ended."""
    sent = handle.getinfo(pycurl.PRETRANSFER_TIME)
    connected = sent if handle.getinfo(pycurl.NUM_CONNECTS) else None
    first = max(0.0, handle.getinfo(pycurl.STARTTRANSFER_TIME) - sent)
    total, status = handle.getinfo(pycurl.TOTAL_TIME), handle.getinfo(pycurl.RESPONSE_CODE)
    return RequestTiming(connected, first, total, status)
