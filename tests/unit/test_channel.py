"""The channel gives every item to one receiver, makes senders wait if full, and wakes all when closed."""

import asyncio

import pytest

from s3haul.engine.dispatch import Channel, ChannelClosedError


async def drain(channel):
    taken = []
    while True:
        try:
            taken.append(await channel.receive())
        except ChannelClosedError:
            return taken


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


async def test_items_come_out_in_order_and_closing_ends_the_receivers():
    channel = Channel(10)
    for number in range(5):
        await channel.send(number)
    channel.close()
    assert await drain(channel) == [0, 1, 2, 3, 4]


async def test_a_full_channel_makes_the_sender_wait():
    channel = Channel(2)
    sender = asyncio.create_task(send_all(channel, range(5)))
    await settle()
    assert not sender.done()
    receiver = asyncio.create_task(drain(channel))
    await sender
    channel.close()
    assert await receiver == [0, 1, 2, 3, 4]


async def send_all(channel, items):
    for item in items:
        await channel.send(item)


async def test_hundreds_of_workers_take_every_item_once():
    channel = Channel(3)
    workers = [asyncio.create_task(drain(channel)) for _ in range(300)]
    await send_all(channel, range(2000))
    channel.close()
    taken = [item for worker in workers for item in await worker]
    assert sorted(taken) == list(range(2000))


async def test_sending_into_a_closed_channel_is_refused_also_while_waiting():
    channel = Channel(1)
    await channel.send(1)
    sender = asyncio.create_task(channel.send(2))
    await settle()
    channel.close()
    with pytest.raises(ChannelClosedError):
        await sender
    with pytest.raises(ChannelClosedError):
        await channel.send(3)
    assert await drain(channel) == [1]


async def test_discarding_removes_items_that_were_not_received():
    channel = Channel(5)
    await send_all(channel, range(3))
    channel.discard()
    assert await drain(channel) == []


async def test_a_receiver_cancelled_at_the_moment_of_its_wake_up_passes_it_on():
    channel = Channel(5)
    first, second = (asyncio.create_task(channel.receive()) for _ in range(2))
    await settle()
    await channel.send("x")
    first.cancel()
    assert await second == "x"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_cancelled_sender_leaves_no_trace():
    channel = Channel(1)
    await channel.send(1)
    sender = asyncio.create_task(channel.send(2))
    await settle()
    sender.cancel()
    await settle()
    assert not channel._senders
