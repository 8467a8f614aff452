"""Does what is still to come fit into the destination? Pure.

Said as soon as the listing shows it, before the first byte where the first page does. It is said and not
enforced: file systems compress, and others free space meanwhile. A disk that is really full ends the run.
"""

from s3haul.core.text import human_bytes


class SpaceEstimate:
    """What a destination offered at the start, and what the objects listed so far need of it."""

    def __init__(self, free_bytes: int, free_files: int) -> None:
        self.free_bytes, self.free_files = free_bytes, free_files
        self.needed_bytes = self.needed_files = 0
        self._said = False

    def need(self, size: int, files: int) -> None:
        """So many bytes and files more. `size` is negative for a file that makes room for a smaller one."""
        self.needed_bytes += size
        self.needed_files += files

    @property
    def fits(self) -> bool:
        """Whether all of it has room, as far as anybody can tell."""
        return self.needed_bytes <= self.free_bytes and self.needed_files <= self.free_files

    def warning(self) -> str | None:
        """The sentence for the user, once, when it no longer fits."""
        if self.fits or self._said:
            return None
        self._said = True
        return (
            f"The destination is too small: {human_bytes(self.needed_bytes)} in {self.needed_files:,} files are"
            f" still to come, {human_bytes(self.free_bytes)} and {self.free_files:,} inodes are free."
        )
