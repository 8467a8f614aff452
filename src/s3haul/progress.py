"""Listeners that show the events of a run: progress bars on a terminal,
a line every ten seconds elsewhere, or JSON lines.

Each is a class with `observe` and `close`; what they show is a `core.meter.Reading`. Keys are escaped with
`show`, so that a key cannot move the cursor or fake a line. The stream is given; it is stderr, or a log file.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import Protocol, TextIO

from s3haul.core.meter import SILENCE, Meter, Reading, retry_note
from s3haul.core.stats import Stats
from s3haul.core.text import colour_mark, human_bytes, human_count, human_duration, iso_time, show
from s3haul.events import CredentialsRenewed, Event, Finished, Noted, Retrying, Tick, Warned
from s3haul.models import State

DRAW_INTERVAL = 0.25
LINE_INTERVAL = 10.0
RETRY_INTERVAL = 60.0  # between two summaries of retries of a quiet run
LOG_SCHEMA = 1
_INDENT = " " * 9  # below the bars
Clock = Callable[[], float]


class Listener(Protocol):
    """Gets all events of a run, and is closed at its end."""

    def observe(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Screen:
    """A few lines at the end of a terminal, which are redrawn in place.

    Between two calls the cursor is below these lines, at the start of a line. So the prompt is clean however
    the program ends, also after a kill.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._drawn: list[str] = []

    @property
    def columns(self) -> int:
        try:
            return os.get_terminal_size(self._stream.fileno()).columns or 80
        except (OSError, ValueError):  # ValueError: it has no descriptor
            return 80

    def draw(self, lines: Sequence[str]) -> None:
        """Replace the previous lines by these. None may be wider than the terminal."""
        self._write("", lines)

    def say(self, line: str) -> None:
        """Print one line permanently, above the lines that are redrawn."""
        self._write(f"{line}\n", self._drawn)

    def _write(self, above: str, lines: Sequence[str]) -> None:
        up = f"\x1b[{len(self._drawn)}A\r\x1b[J" if self._drawn else ""
        self._drawn = list(lines)
        self._stream.write(up + above + "".join(f"{line}\n" for line in lines))
        self._stream.flush()


class Bars:
    """Two bars, for bytes and objects, and below them why the run is slow, if it is."""

    def __init__(
        self, stats: Stats, stream: TextIO, *, clock: Clock = time.monotonic, colour: bool = False
    ) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - without a terminal there are no bars
        from tqdm.utils import disp_trim  # noqa: PLC0415 - same

        self._meter = Meter(stats, clock())
        self._stats = stats
        self._screen = Screen(stream)
        self._clock = clock
        self._colour = colour
        self._next = 0.0
        self._bar, self._trim = tqdm.format_meter, disp_trim
        self._ascii = not _can_show_bars(stream)

    def observe(self, event: Event) -> None:
        now = self._clock()
        if isinstance(event, Warned | Noted):
            self._screen.say(_message(event, colour=self._colour))
        tick = isinstance(event, Tick)
        if tick or (now >= self._next and self._stats.selected):
            self._next = now + DRAW_INTERVAL
            self._screen.draw(self._lines(self._meter.read(now)))

    def _lines(self, reading: Reading) -> list[str]:
        notes = filter(None, (", ".join(reading.notes()), ", ".join(reading.savings()), reading.stall))
        below = [line for note in notes for line in self._below(note)]
        if not reading.selected and not reading.listing_complete:
            return [f"listing  nothing found yet, {human_duration(reading.elapsed)}", *below]
        more = reading.more
        size = f"{human_bytes(reading.arrived)} of {human_bytes(reading.total)}{more}"
        left = f", {human_duration(reading.remaining)} left" if reading.remaining else ""
        count = f"{human_count(reading.objects)} of {human_count(reading.selected)}{more}"
        listing = "" if reading.listing_complete else ", listing"
        arriving = f"{size}, {human_bytes(reading.byte_rate)}/s{left}"
        if reading.listing_complete and not reading.to_fetch:
            arriving = "nothing to fetch"
        ended = f"{count}, {reading.object_rate:,.0f}/s{listing}"
        return [
            self._line("bytes  ", reading.share, arriving),
            self._line("objects", _object_share(reading), ended),
            *below,
        ]

    def _below(self, note: str) -> list[str]:
        """Two lines at most."""
        width = self._screen.columns - 1
        lines = wrap(note, max(20, width - len(_INDENT)), max_lines=2, placeholder=" ...")
        return [self._trim(_INDENT + line, width) for line in lines]

    def _line(self, name: str, share: float | None, text: str) -> str:
        width = self._screen.columns - 1
        if share is None:
            return self._trim(f"{name}  {text}", width)
        head = f"{name} {int(100 * share):3d}%"
        room = min(width, len(head) + len(text) + 43)
        line: str = self._bar(
            share, 1.0, 0.0, ncols=room, ascii=self._ascii, bar_format=f"{head}|{{bar}}| {text}"
        )
        return self._trim(line, width)

    def close(self) -> None:
        """Leave the final state on the screen, unless nothing was listed."""
        lines = self._lines(self._meter.read(self._clock())) if self._stats.selected else []
        self._screen.draw(lines)


class _Plain:
    """A listener that only appends to its stream."""

    interval = LINE_INTERVAL

    def __init__(
        self, stats: Stats, stream: TextIO, *, clock: Clock = time.monotonic, colour: bool = False
    ) -> None:
        self._stream = stream
        self._clock = clock
        self._colour = colour
        self._meter = Meter(stats, clock())
        self._next = clock() + self.interval

    def _message(self, event: Warned | Noted) -> None:
        write_line(self._stream, _message(event, colour=self._colour))

    def _due(self, event: Event) -> Reading | None:
        """The state of the run if it is time to show it; the meter also reads it at every tick."""
        now = self._clock()
        if now >= self._next:
            self._next = now + self.interval
            return self._meter.read(now)
        if isinstance(event, Tick):
            self._meter.read(now)
        return None

    def close(self) -> None:
        """Nothing to close."""


class Lines(_Plain):
    """One line every ten seconds, for logs and pipes."""

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned | Noted):
            self._message(event)
        if reading := self._due(event):
            write_line(self._stream, progress_line(reading))


class JsonLines(_Plain):
    """One JSON object per important event; none for pages, chunks and objects that are done.

    Every ten seconds a `progress` event contains the state of the run.
    """

    def __init__(
        self, stats: Stats, stream: TextIO, *, clock: Clock = time.monotonic, wall: Clock = time.time
    ) -> None:
        super().__init__(stats, stream, clock=clock)
        self._wall = wall

    def observe(self, event: Event) -> None:
        match event:
            case Finished() if event.outcome.state is not State.DONE:
                outcome = event.outcome
                fields = {"key": outcome.ref.plain_key, "state": outcome.state, "reason": outcome.reason}
                self._write("object", {**fields, "detail": outcome.detail})
            case Retrying():
                self._write("retry", event._asdict())
            case CredentialsRenewed():
                times = {"expires": iso_time(event.expires), "next_refresh": iso_time(event.next_refresh)}
                self._write("credentials", event._asdict() | times)
            case Warned():
                self._write("warning", event._asdict())
            case Noted():
                self._write("note", event._asdict())
            case _:
                pass
        if reading := self._due(event):
            self._write("progress", reading.as_object())

    def _write(self, kind: str, fields: dict[str, object]) -> None:
        record = {"schema": LOG_SCHEMA, "time": iso_time(self._wall()), "event": kind, **fields}
        write_line(self._stream, json.dumps(record))


class Quiet(_Plain):
    """Only warnings, also if no data arrives or requests are retried; with `notes`, notes too."""

    interval = RETRY_INTERVAL

    def __init__(
        self,
        stats: Stats,
        stream: TextIO,
        *,
        clock: Clock = time.monotonic,
        colour: bool = False,
        notes: bool = False,
    ) -> None:
        super().__init__(stats, stream, clock=clock, colour=colour)
        self._notes = notes
        self._silence = SILENCE
        self._reported: dict[str, int] = {}  # retries by reason, at the last summary

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned) or (self._notes and isinstance(event, Noted)):
            self._message(event)
        elif isinstance(event, Tick):
            self._warn_if_slow(self._clock())

    def _warn_if_slow(self, now: float) -> None:
        reading = self._meter.read(now)
        if reading.silent < SILENCE:
            self._silence = SILENCE
        elif reading.silent >= self._silence:
            self._silence *= 2
            self._message(Warned(reading.stall))
        if now >= self._next:
            self._next = now + self.interval
            fresh = {reason: n - self._reported.get(reason, 0) for reason, n in reading.retries.items()}
            fresh = {reason: n for reason, n in fresh.items() if n}
            self._reported = reading.retries
            if fresh:
                slow = ", throttled" if reading.throttled else ""
                self._message(Warned(f"{retry_note(fresh)} in the last minute{slow}"))


def progress_line(reading: Reading) -> str:
    """The state of a run as one line."""
    share = "" if reading.share is None else f" ({int(100 * reading.share)} %)"
    left = f", {human_duration(reading.remaining)} left" if reading.remaining else ""
    more = reading.more
    return (
        f"{human_duration(reading.elapsed)}: {human_count(reading.objects)} of "
        f"{human_count(reading.selected)}{more} objects, {human_bytes(reading.arrived)} of "
        f"{human_bytes(reading.total)}{more}{share}, {human_bytes(reading.byte_rate)}/s{left}"
        + "".join(f", {note}" for note in (*reading.notes(), *reading.savings(), reading.stall) if note)
    )


def _object_share(reading: Reading) -> float | None:
    if not reading.listing_complete:
        return None
    return min(reading.objects / reading.selected, 1.0) if reading.selected else 1.0


def _message(event: Warned | Noted, *, colour: bool) -> str:
    if isinstance(event, Noted):
        return show(event.message)
    line = f"! {show(event.message)}{f'   [{event.id}]' if event.id else ''}"
    return colour_mark(line) if colour else line


def _can_show_bars(stream: TextIO) -> bool:
    try:
        "█▏".encode(stream.encoding or "ascii")
    except (UnicodeError, LookupError):
        return False
    return True


def write_line(stream: TextIO, line: str) -> None:
    """Write and flush, so that a reader sees it at once."""
    stream.write(line + "\n")
    stream.flush()
