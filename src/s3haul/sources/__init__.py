"""Where the names of the objects come from, if not from the bucket's listing: key lists, manifests, inventories.

Readers of files that others wrote. They ask S3 for nothing, and believe nothing but the form: that an object is
there, and what it is, the engine finds out.
"""

from s3haul.sources.reading import KeyLists, RowSource, Unread
from s3haul.sources.rows import ObjectRow, SortedRows, wrong

__all__ = ["KeyLists", "ObjectRow", "RowSource", "SortedRows", "Unread", "wrong"]
