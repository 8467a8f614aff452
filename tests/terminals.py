"""Terminals in memory, runs that are shown on them, and screens that are kept as text to be compared with."""

import io
import os
from pathlib import Path

import pyte

from s3haul.core.stats import Stats
from s3haul.events import Tick


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Terminal(io.StringIO):
    """A terminal in memory; `rows` is what a person sees on it."""

    encoding = "utf-8"

    def __init__(self, columns, rows=12):
        super().__init__()
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self.screen)
        self.columns = columns

    def write(self, text):
        self._stream.feed(text.replace("\n", "\r\n"))
        return super().write(text)

    @property
    def rows(self):
        lines = [line.rstrip() for line in self.screen.display]
        while lines and not lines[-1]:
            lines.pop()
        return lines


class Run:
    """A listener on a stream, its counts and its clock."""

    def __init__(self, make, stream, **options):
        self.stats, self.stream, self.clock = Stats(), stream, Clock()
        self.listener = make(self.stats, stream, clock=self.clock, **options)

    def feed(self, *events):
        for event in events:
            self.stats.observe(event)
            self.listener.observe(event)

    def seconds(self, count, *events):
        """So many seconds, with these events in each of them and a tick at its end."""
        for _ in range(count):
            self.clock.now += 0.125
            self.feed(*events)
            self.clock.now += 0.875
            self.feed(Tick())

    def lines(self):
        return self.stream.getvalue().splitlines()


def same_as_kept(directory: Path, name: str, rows: list[str]) -> None:
    """Fails unless the screen is the kept one. With S3HAUL_KEEP_SCREENS=1 it is kept
    instead: look at the change."""
    file = directory / "screens" / f"{name}.txt"
    text = "".join(f"{row}\n" for row in rows)
    if os.environ.get("S3HAUL_KEEP_SCREENS"):
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, encoding="utf-8")
    assert text == file.read_text(encoding="utf-8")
