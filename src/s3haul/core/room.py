"""Whether what is listed fits: bytes and inodes needed against those that are free. Pure.

Files that stand there already are not counted off, and directories are not counted.
"""

from dataclasses import dataclass

from s3haul.core.text import human_bytes


@dataclass(frozen=True, slots=True)
class Need:
    """What the listing asks of the destination."""

    bytes: int
    files: int


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
