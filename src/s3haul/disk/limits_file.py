"""Limits for the run on a destination, changed while it goes on:
a small file that the run looks at every second.

`s3haul limit` writes it whole, the run reads it and removes what an earlier run has left.
"""

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from s3haul.core.keypath import STATE_DIRECTORY
from s3haul.disk.errors import run_error
from s3haul.disk.new_file import new_file
from s3haul.errors import UsageError
from s3haul.options import LimitOptions

NAME = "limits.json"
LONGEST = 4096  # bytes


class LimitsFile:
    """The file of the destination at `root`, whose state directory exists."""

    def __init__(self, root: Path) -> None:
        self._path = root / STATE_DIRECTORY / NAME
        self._seen = b""

    def clear(self) -> None:
        """Remove the limits of an earlier run."""
        with contextlib.suppress(OSError):  # where it cannot be removed, it is read and said
            self._path.unlink()

    def add(self, changes: Mapping[str, float | None]) -> None:
        """Have the run keep to these too; None lifts a limit. Raises `DestinationError`."""
        earlier = self._bytes()
        limits = {**(parse(earlier) if earlier else {}), **changes}
        try:
            with new_file(self._path) as file:
                json.dump(limits, file)
        except OSError as error:
            raise run_error(error, f"write {self._path}") from error

    def changed(self, current: LimitOptions) -> LimitOptions | None:
        """`current` with the limits of the file; None while the file is what it was.

        Raises `UsageError` where it is not to be understood, once.
        """
        text = self._bytes()
        if text == self._seen:
            return None
        self._seen = text
        return current._replace(**parse(text)) if text else None

    def _bytes(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                return file.read(LONGEST)
        except OSError:  # there is none, mostly
            return b""


def parse(text: bytes) -> dict[str, Any]:
    """The limits of a file's text, by name. Raises `UsageError`."""
    try:
        given = {key: _number(value) for key, value in json.loads(text).items()}
        LimitOptions()._replace(**given)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{NAME} contains no limits: {error}", hint="set them with s3haul limit") from None
    return given


def _number(value: object) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{value!r} is no rate")
    return value
