"""What a run and its engine processes tell each other, and how it travels: pickled, over a socket pair.

The socket has no name: nobody but the two processes can reach it, and both are the same program of the
same user. So keys may travel here, and only here: not in arguments, not in the environment.
"""

import asyncio
import pickle
import socket
import struct
from pathlib import Path
from typing import NamedTuple, Self

from s3haul.aws.keys import Keys
from s3haul.aws.wire.endpoint import Endpoint
from s3haul.engine.admission import Target
from s3haul.events import Retrying, Warned
from s3haul.models import Block, Outcome, Partial
from s3haul.options import SourceOptions, TransferOptions

_LENGTH = struct.Struct(">I")


class Budget(NamedTuple):
    """A process's share of what may be under way, and until when nothing may, by the monotonic clock."""

    limit: int
    paused_until: float


class Start(NamedTuple):
    """The first message to a process: all that it needs to fetch objects of one source into one place."""

    endpoint: Endpoint
    authorities: str
    source: SourceOptions
    options: TransferOptions
    root: Path
    descriptors: tuple[int, ...]  # of the destination, inherited
    keys: Keys
    renewable: bool  # whether there are other keys to be had when S3 refuses these
    budget: Budget


class Ready(NamedTuple):
    """The answer: targets may come. Temporary files that the process makes begin with `prefix`."""

    prefix: str


class Work(NamedTuple):
    """See these through."""

    targets: list[Target]


class Drain(NamedTuple):
    """Finish what is under way, and forget what is not."""


class Renew(NamedTuple):
    """S3 refuses these keys, or they have expired; new `Keys` are wanted."""

    stale_access_key: str


class Throttled(NamedTuple):
    """S3 refused a request for its rate."""

    retry_after: float | None


class Began(NamedTuple):
    """An object will land block by block."""

    partial: Partial


class Landed(NamedTuple):
    """The bytes of a block are written."""

    temporary: str
    block: Block


class Forgotten(NamedTuple):
    """A file that landed block by block is finished, or of no use any more."""

    temporary: str


class Report(NamedTuple):
    """What has happened since the last one; the `parts` before the `outcomes`.

    `received` and `resumed` count bytes, `served` answered requests.
    """

    parts: list[Began | Landed | Forgotten]
    outcomes: list[Outcome]
    events: list[Retrying | Warned]
    received: int
    resumed: int
    served: int
    crowded: bool


class Broken(NamedTuple):
    """This ends the run: an error of ours, or the traceback of one that is not."""

    error: BaseException | str


ToChild = Start | Work | Budget | Keys | Drain
ToParent = Ready | Report | Throttled | Renew | Broken


class Link:
    """One end of the socket pair. Messages arrive whole and in order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """A link that owns `end`."""
        return cls(*await asyncio.open_connection(sock=end))

    def send(self, message: ToChild | ToParent) -> None:
        """Queue a message; one to an end that is gone is lost, which `receive` notices."""
        if self._writer.is_closing():
            return
        body = pickle.dumps(message, pickle.HIGHEST_PROTOCOL)
        self._writer.write(_LENGTH.pack(len(body)) + body)

    async def receive(self) -> object | None:
        """The next message, or None when the other end is gone."""
        try:
            (size,) = _LENGTH.unpack(await self._reader.readexactly(_LENGTH.size))
            body = await self._reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionError):
            return None
        message: object = pickle.loads(body)  # noqa: S301 - written by this program, see above
        return message

    async def part(self) -> None:
        """Say that this was all, and wait until the other end has read it.

        To close with messages unread would reset the connection, and the other end would lose what it has
        not read yet.
        """
        if not self._writer.is_closing():
            self._writer.write_eof()
        while await self.receive() is not None:
            pass
        self.close()

    def close(self) -> None:
        self._writer.close()
