"""Whether what is listed fits: bytes and inodes needed against those that are free. Pure.

An estimate that errs towards "fits": files that stand there already are not counted off, and a file system
may compress. Directories are counted as they appear in the keys.
"""

from dataclasses import dataclass

from s3haul.core.text import human_bytes


@dataclass(frozen=True, slots=True)
class Need:
    """What the listing asks of the destination."""

    bytes: int = 0
    files: int = 0
    largest: int = 0


@dataclass(frozen=True, slots=True)
class Room:
    """What the destination has. Limits that do not exist are huge."""

    bytes: int
    inodes: int


def shortage(need: Need, room: Room) -> str:
    """What is missing, as a sentence; "" where everything fits."""
    if need.bytes > room.bytes:
        return f"{human_bytes(need.bytes)} are listed, {human_bytes(room.bytes)} are free"
    if need.files > room.inodes:
        return f"{need.files:,} files are listed, {room.inodes:,} inodes are free"
    return ""
