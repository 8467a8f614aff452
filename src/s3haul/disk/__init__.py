"""The local destination: the only place that creates, names and opens the files of the user's tree.

Synchronous throughout; the engine calls it in threads. It knows nothing of S3, and takes no path but a
`SafePath`.
"""

from s3haul.disk.destination import Destination
from s3haul.disk.errors import OBJECT_REASONS, ObjectPathError
from s3haul.disk.staging import Temporary
from s3haul.disk.tree import FileStat, Tree, free_space_for

__all__ = [
    "OBJECT_REASONS",
    "Destination",
    "FileStat",
    "ObjectPathError",
    "Temporary",
    "Tree",
    "free_space_for",
]
