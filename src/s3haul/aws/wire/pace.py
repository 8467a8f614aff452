"""Is this answer too slow? Pure: judged only over the time that we wait for the network.

Silence for a whole window is a stall, and so are fewer bytes than the minimum rate over a window.
Time in which the consumer is busy with what it has does not count.
"""


class Pace:
    """One answer at a time. Times are in seconds, by one clock; rates in bytes per second."""

    __slots__ = ("_began", "_in_head", "_last", "_minimum_rate", "_received", "_waited", "window")

    def __init__(self, window: float, minimum_rate: int) -> None:
        self.window = window
        self._minimum_rate = minimum_rate
        self.start()

    def start(self) -> None:
        """A request goes out. Until its head is here only silence and a very late head count."""
        self._in_head = True
        self._waited = 0.0
        self._received = 0
        self._began = self._last = 0.0

    def head_complete(self, now: float) -> None:
        """The body's rate is judged from here on."""
        self._in_head = False
        self._waited = 0.0
        self._received = 0
        self._began = now

    def wait(self, now: float) -> None:
        """We begin to wait."""
        self._began = self._last = now

    def arrived(self, size: int, now: float) -> None:
        """Bytes came, whether we wait or not."""
        self._received += size
        self._last = now

    def waited(self, now: float) -> None:
        """We stop waiting."""
        self._waited += now - self._began

    def verdict(self, now: float) -> str | None:
        """Why this is a stall, or None. To be asked only while we wait."""
        if now - self._last >= self.window:
            return f"no byte for {self.window:g} s"
        waited = self._waited + now - self._began
        if self._in_head:
            late = waited >= 2 * self.window
            return f"the headers are not complete after {waited:.1f} s" if late else None
        if waited < self.window:
            return None
        received = self._received
        if received < self._minimum_rate * waited:
            return f"{received} bytes in {waited:.1f} s are less than {self._minimum_rate} bytes/s"
        self._waited, self._received, self._began = 0.0, 0, now
        return None
