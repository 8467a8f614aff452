"""The local destination: the only package that creates, names and opens files of the user's tree.

All calls block; the engine makes them in threads. Nothing here knows S3. Every path is a `SafePath`.
"""

from s3haul.disk.destination import Destination
from s3haul.disk.errors import OBJECT_REASONS, ObjectPathError
from s3haul.disk.root import check_root
from s3haul.disk.staging import Temporary
from s3haul.disk.tree import FileStat, Tree, free_space_for

__all__ = [
    "OBJECT_REASONS",
    "Destination",
    "FileStat",
    "ObjectPathError",
    "Temporary",
    "Tree",
    "check_root",
    "free_space_for",
]
