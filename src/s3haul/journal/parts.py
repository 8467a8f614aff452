"""Statements and rows of partial objects. No I/O.

These tables are not trusted: a block is reused only if the bytes in the temporary file still have its CRC. So the rows
need no CRC of their own, and the order of the statements does not matter. They are committed in the same batches as
all other rows, after a sync.
"""

from typing import Any

from s3haul.journal.storable import storable
from s3haul.models import Block, Partial

PARTS_TABLES = (
    """CREATE TABLE partials (temporary TEXT PRIMARY KEY, key TEXT NOT NULL, etag TEXT NOT NULL,
    size INTEGER NOT NULL, algorithm TEXT NOT NULL) WITHOUT ROWID""",
    """CREATE TABLE blocks (temporary TEXT NOT NULL, start INTEGER NOT NULL, size INTEGER NOT NULL,
    crc BLOB NOT NULL, PRIMARY KEY (temporary, start)) WITHOUT ROWID""",
)
PUT_PARTIAL = "INSERT OR REPLACE INTO partials VALUES (?, ?, ?, ?, ?)"
PUT_BLOCK = "INSERT OR REPLACE INTO blocks VALUES (?, ?, ?, ?)"
DROP_PARTIAL = "DELETE FROM partials WHERE temporary = ?"
DROP_BLOCKS = "DELETE FROM blocks WHERE temporary = ?"
PARTIALS = "SELECT key, etag, size, temporary, algorithm FROM partials"
BLOCKS = "SELECT start, size, crc FROM blocks WHERE temporary = ? ORDER BY start"


def partial_row(partial: Partial) -> tuple[Any, ...]:
    key, etag = storable(partial.key), storable(partial.etag)
    return partial.temporary, key, etag, partial.size, partial.algorithm


def block_row(temporary: str, block: Block) -> tuple[Any, ...]:
    return temporary, block.start, block.size, block.crc.to_bytes(8, "big")


def to_block(row: tuple[Any, ...]) -> Block:
    start, size, crc = row
    return Block(start, size, int.from_bytes(crc, "big"))
