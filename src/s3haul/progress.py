"""Events made visible: bars on a terminal, a line every ten seconds elsewhere, JSON lines on request.

Each class is a listener with `observe` and `close`; none decides anything. Keys pass through `show`, so
that a key cannot move the cursor or forge a line. Everything here writes to stderr.
"""

import json
import time
from collections.abc import Callable
from typing import Protocol, TextIO

from s3haul.core.tally import Tally
from s3haul.core.text import human_bytes, human_duration, show
from s3haul.events import (
    AlreadyDone,
    CredentialsRenewed,
    Event,
    Finished,
    Listed,
    Received,
    Resumed,
    Retrying,
    Tick,
    Warned,
)
from s3haul.models import State

LINE_INTERVAL = 10.0
LOG_SCHEMA = 1


class Listener(Protocol):
    """Something that shows a run."""

    def observe(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Bars:
    """Two tqdm bars: bytes with rate and ETA, and objects with failures and the next refresh."""

    def __init__(self, tally: Tally, stream: TextIO, *, clock: Callable[[], float] = time.time) -> None:
        from tqdm import tqdm  # noqa: PLC0415 - without a terminal there are no bars

        self._tally = tally
        self._clock = clock
        self._bytes = tqdm(
            total=0, unit="B", unit_scale=True, desc="bytes", file=stream, position=0, dynamic_ncols=True
        )
        self._objects = tqdm(total=0, unit="obj", desc="objects", file=stream, position=1, dynamic_ncols=True)

    def observe(self, event: Event) -> None:
        match event:
            case Received():
                self._bytes.update(event.bytes)
            case Finished():
                self._objects.update(1)
                if event.outcome.state is not State.DONE:
                    self._total()
            case Resumed():
                self._total()
            case AlreadyDone():
                self._objects.update(event.objects)
                self._total()
            case Listed():
                self._total()
            case Tick():
                self._annotate()
                self._objects.refresh()
            case Warned():
                self._bytes.write(_warning(event), file=self._bytes.fp)
            case _:
                pass

    def _total(self) -> None:
        """The bytes still to come are those of selected objects that have not ended otherwise."""
        tally = self._tally
        lost = sum(cause.bytes for cause in (*tally.failed.values(), *tally.skipped.values()))
        self._bytes.total = tally.selected_bytes - tally.already_bytes - tally.resumed - lost
        self._objects.total = tally.selected

    def _annotate(self) -> None:
        notes = {}
        if self._tally.failed_count:
            notes["failed"] = str(self._tally.failed_count)
        if self._tally.skipped_count:
            notes["skipped"] = str(self._tally.skipped_count)
        if self._tally.next_refresh is not None:
            notes["refresh"] = human_duration(max(0.0, self._tally.next_refresh - self._clock()))
        self._objects.set_postfix(notes, refresh=False)

    def close(self) -> None:
        self._annotate()
        self._objects.close()
        self._bytes.close()


class Lines:
    """One line every ten seconds, for logs and pipes."""

    def __init__(self, tally: Tally, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._tally = tally
        self._stream = stream
        self._clock = clock
        self._started = clock()
        self._next = self._started + LINE_INTERVAL

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._write(_warning(event))
        now = self._clock()
        if now >= self._next:
            self._next = now + LINE_INTERVAL
            self._write(self._line(now))

    def _line(self, now: float) -> str:
        tally, elapsed = self._tally, max(now - self._started, 1e-9)
        more = "" if tally.listing_complete else "+"
        return (
            f"{human_duration(elapsed)}: {tally.ended} of {tally.selected}{more} objects, "
            f"{human_bytes(tally.received)} received, {human_bytes(tally.received / elapsed)}/s, "
            f"{tally.failed_count} failed, {tally.skipped_count} skipped"
        )

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""


class JsonLines:
    """One JSON object per event that a person would log: not one per page, chunk or good object."""

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.time) -> None:
        self._stream = stream
        self._clock = clock

    def observe(self, event: Event) -> None:
        match event:
            case Finished() if event.outcome.state is not State.DONE:
                outcome = event.outcome
                fields = {"key": outcome.ref.key, "state": outcome.state, "reason": outcome.reason}
                self._write("object", {**fields, "detail": outcome.detail})
            case Retrying():
                self._write("retry", event._asdict())
            case CredentialsRenewed():
                self._write("credentials", event._asdict())
            case Warned():
                self._write("warning", event._asdict())
            case _:
                pass

    def _write(self, kind: str, fields: dict[str, object]) -> None:
        record = {"schema": LOG_SCHEMA, "time": round(self._clock(), 3), "event": kind, **fields}
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Nothing is open."""


class Quiet:
    """Shows warnings only."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def observe(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._stream.write(f"{_warning(event)}\n")

    def close(self) -> None:
        """Nothing is open."""


def _warning(event: Warned) -> str:
    return f"! {show(event.message)}{f'   [{event.id}]' if event.id else ''}"
