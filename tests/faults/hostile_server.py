"""The server that answers as `hostile` says, over real sockets: chunks, pauses, resets."""

import asyncio
import random
import socket
import struct
from collections.abc import Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, unquote, urlsplit

from faults.canned import listening
from faults.hostile import Answer, document, honest, hostile, sound
from faults.hostile_changes import Ending
from faults.nasty import attributes, listing, spoiled_document

LONGEST_IDLE = 0.3  # seconds; what waits for the rest of a short answer waits for that long
_RESET = struct.pack("ii", 1, 0)  # linger for no time


def answer_to(head: bytes) -> Answer:
    """The answer to a request for `NAME` or for what belongs to it. Pure."""
    method, target, _ = head.split(b"\r\n")[0].decode().split(" ")
    url = urlsplit(target)
    asked = parse_qs(url.query, keep_blank_values=True)
    if "list-type" in asked:
        name = asked["prefix"][0]
        return _document(name, listing)
    name = unquote(url.path).removeprefix("/b/")
    if "attributes" in asked:
        return _document(name, attributes)
    if method == "HEAD":
        draft = sound(name)
        draft.body = b""
        return hostile(name, draft) if name.startswith("head/") else honest(draft)
    return hostile(name, sound(name, _byte_range(head)))


def _document(name: str, sound_document: Callable[[random.Random], bytes]) -> Answer:
    """XML that is spoiled, or comes in a hostile way."""
    dice = random.Random(f"document {name}")
    text = sound_document(dice)
    if dice.random() < 0.5:
        return honest(document(spoiled_document(dice, text)))
    return hostile(name, document(text))


def _byte_range(head: bytes) -> tuple[int, int] | None:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"range: bytes="):
            first, _, last = line.removeprefix(b"range: bytes=").partition(b"-")
            return int(first), int(last)
    return None


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    ending = Ending.NEXT
    while ending is Ending.NEXT:
        try:
            async with asyncio.timeout(LONGEST_IDLE):
                head = await reader.readuntil(b"\r\n\r\n")
        except TimeoutError:
            return
        answer = answer_to(head)
        for chunk in answer.chunks:
            writer.write(chunk)
            await writer.drain()
            if len(answer.chunks) > 1:
                await asyncio.sleep(answer.pause)
        ending = answer.ending
    if ending is Ending.SILENCE:
        await reader.read()
    elif ending is Ending.RESET:
        with suppress(OSError):
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        writer.transport.abort()


@asynccontextmanager
async def hostile_server():
    """Its port."""
    async with listening(_serve) as port:
        yield port
