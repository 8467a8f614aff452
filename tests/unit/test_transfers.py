"""A transfer thread ends every exchange: a bug reaches whoever waits as the bug that it is,
not as a lost connection."""

import asyncio
import threading

import pycurl
import pytest

from faults.canned import answer, canned
from faults.curl import curl_on
from faults.stores import read
from s3haul.core.stats import Timings
from s3haul.s3.libcurl import Network
from s3haul.s3.transfers import TransferThread

OBJECT = answer("200 OK", b"the object", ETag='"e"')


async def test_what_a_listener_raises_is_raised_by_every_request():
    def listener(_timing) -> None:
        raise ZeroDivisionError

    async with (
        canned(lambda _: OBJECT) as server,
        curl_on(f"http://127.0.0.1:{server.port}", on_timing=listener) as store,
        asyncio.timeout(30),
    ):
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await read(store)


class Exchange:
    """Of a request that no server receives. Raises in the method that is named."""

    def __init__(self, broken: str = ""):
        self._broken = broken
        self.begun, self.ended = threading.Event(), threading.Event()
        self.calls = []

    def _called(self, method, what):
        self.calls.append(what)
        (self.begun if method == "begin" else self.ended).set()
        if method == self._broken:
            raise ZeroDivisionError

    def begin(self, handle):
        handle.setopt(pycurl.URL, "ftp://127.0.0.1/" if self._broken == "end" else "http://127.0.0.1:1/")
        self._called("begin", "begin")

    def end(self, _handle, code, _message):
        self._called("end", code)

    def fail(self, error):
        self._called("fail", type(error))


@pytest.fixture
def thread():
    running = TransferThread(Network(authorities=""), 2, "test", Timings())
    yield running
    running.close()


@pytest.mark.parametrize("method", ["begin", "end"])
def test_an_exchange_that_raises_fails_and_so_do_all_later_ones(thread, method):
    broken, later = Exchange(method), Exchange()
    thread.submit(broken)
    thread._thread.join(30)
    thread.submit(later)
    assert broken.calls[-1] is ZeroDivisionError
    assert later.calls == [ZeroDivisionError]


def test_an_exchange_that_is_submitted_while_the_thread_ends_is_ended(monkeypatch):
    releasing, go_on = threading.Event(), threading.Event()
    release = TransferThread._release

    def held(self) -> None:
        releasing.set()
        go_on.wait(30)
        release(self)

    monkeypatch.setattr(TransferThread, "_release", held)
    thread, exchange = TransferThread(Network(authorities=""), 2, "test", Timings()), Exchange()
    closing = threading.Thread(target=thread.close)
    closing.start()
    assert releasing.wait(30)
    thread.submit(exchange)
    assert exchange.calls == [pycurl.E_ABORTED_BY_CALLBACK]
    go_on.set()
    closing.join()
