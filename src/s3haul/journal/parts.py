"""What the journal keeps of objects that are here in part: statements and rows. No I/O.

Nothing in these tables is believed: a block counts only if the bytes in the temporary file still have its
CRC, so that neither seals nor an order of the statements are needed. They are written through the same
batches as all else, behind a sync: a row never vouches for bytes that a power loss took.
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
