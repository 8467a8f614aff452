"""When engine processes are worth their start, what they are told, and one seat's dealings with its process."""

import asyncio
import itertools
import pickle
from types import SimpleNamespace

import pytest

import s3haul.errors
from s3haul.cli.flags import parse_processes
from s3haul.engine.admission import Target, Verb
from s3haul.engine.channel import Channel
from s3haul.errors import InterruptedRunError, S3HaulError, UsageError
from s3haul.events import AlreadyDone, Listed, ListingEnded
from s3haul.models import ObjectRef, SafePath
from s3haul.scale import processes
from s3haul.scale.messages import Drain, Ready, Work
from s3haul.scale.processes import PLENTY_BYTES, WORTHWHILE_BYTES, WORTHWHILE_OBJECTS, Processes
from s3haul.scale.seat import Seat, least_loaded

PLENTY = [Listed(WORTHWHILE_OBJECTS, 1, 0)]
DONE_PAGE = [Listed(1000, WORTHWHILE_BYTES, 0), AlreadyDone(1000, WORTHWHILE_BYTES)]


@pytest.mark.parametrize("text", ["0", "-1", "abc", "", "1.5", "65", "1e3", "²", "Auto"])
def test_a_number_of_processes_that_is_none_is_refused_with_the_numbers_that_are(text):
    with pytest.raises(UsageError, match=r"--processes takes auto or a number from 1 to 64\.$"):
        parse_processes(text)


def test_auto_and_numbers_are_understood():
    assert [parse_processes(text) for text in ("auto", "1", "64")] == [None, 1, 64]


EIGHT = SimpleNamespace(count=8)
FOUR = SimpleNamespace(count=4)
AT_ONCE = SimpleNamespace(sleep=lambda _seconds: asyncio.sleep(0))


class Idle:
    """Stands for the crew of the parent."""

    def __init__(self):
        self.hired = False

    def hire(self):
        self.hired = True


def waiting() -> Channel[str]:
    """A channel that still has something for somebody."""
    return Channel(1)


class Hired:
    """Stands for the company: whether it was called is all that is asked."""

    work_done = 0

    def __init__(self, *_parts):
        pass

    async def work(self, _channel):
        Hired.work_done += 1

    def close(self, *, drop):
        """There is nobody to dismiss."""


@pytest.mark.parametrize(
    ("events", "hired"),
    [
        ([ListingEnded()], 0),
        ([Listed(WORTHWHILE_OBJECTS - 1, 5, 0), ListingEnded()], 0),
        ([Listed(2, WORTHWHILE_BYTES - 1, 0), ListingEnded()], 0),
        ([Listed(1000, WORTHWHILE_BYTES, 0)], 1),
        (PLENTY, 1),
        ([*DONE_PAGE, *DONE_PAGE, *DONE_PAGE, ListingEnded()], 0),
        ([*DONE_PAGE, *PLENTY], 1),
    ],
    ids=[
        "nothing",
        "few",
        "little",
        "much-on-a-busy-processor",
        "many",
        "all-done-before",
        "many-after-those-done-before",
    ],
)
@pytest.mark.parametrize("at_every_event", [True, False])
async def test_processes_are_hired_for_what_is_left_to_do(monkeypatch, events, hired, at_every_event):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    reinforcement = Processes(EIGHT, processor=itertools.count(step=1000).__next__)
    running = asyncio.create_task(reinforcement.run(AT_ONCE, waiting(), None, Idle()))
    await asyncio.sleep(0)
    for event in events:
        reinforcement.observe(event)
        if at_every_event and not isinstance(event, Listed):  # a page is told in one go
            await asyncio.sleep(0)
    await asyncio.wait_for(running, 5)
    assert Hired.work_done == hired


@pytest.mark.parametrize(
    ("event", "at_once", "begins_here"),
    [
        (Listed(1, 1, 0), False, True),
        (Listed(1, 1, 0), True, False),
        (Listed(1, 100 * PLENTY_BYTES, 0), False, True),
        (Listed(2, PLENTY_BYTES - 1, 0), False, True),
        (Listed(2, PLENTY_BYTES, 0), False, False),
    ],
    ids=["little", "asked-for", "one-huge", "large", "huge"],
)
async def test_what_is_worth_processes_outright_is_not_begun_in_this_one(
    monkeypatch, event, at_once, begins_here
):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    crew, channel = Idle(), waiting()
    reinforcement = Processes(EIGHT, at_once=at_once, processor=lambda: 1.0)
    running = asyncio.create_task(reinforcement.run(AT_ONCE, channel, None, crew))
    await asyncio.sleep(0)
    assert not crew.hired
    reinforcement.observe(event)
    for _ in range(100):
        await asyncio.sleep(0)
    assert (crew.hired, Hired.work_done) == ((True, 0) if begins_here else (False, 1))
    reinforcement.drain()
    await asyncio.wait_for(running, 5)


@pytest.mark.parametrize("event", [Listed(2, PLENTY_BYTES, 0), Listed(1000, WORTHWHILE_BYTES, 0)])
async def test_bytes_alone_hire_nobody_where_the_threads_of_one_process_use_every_processor(
    monkeypatch, event
):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    crew = Idle()
    reinforcement = Processes(FOUR, processor=itertools.count(step=1000).__next__)
    running = asyncio.create_task(reinforcement.run(AT_ONCE, waiting(), None, crew))
    reinforcement.observe(event)
    reinforcement.observe(ListingEnded())
    await asyncio.wait_for(running, 5)
    assert (crew.hired, Hired.work_done) == (True, 0)


@pytest.mark.parametrize("taken", [True, False], ids=["all-taken", "some-waiting"])
async def test_bytes_alone_hire_nobody_while_the_processor_has_time_left(monkeypatch, taken):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    channel = waiting()
    reinforcement = Processes(EIGHT, processor=lambda: 1.0)
    running = asyncio.create_task(reinforcement.run(AT_ONCE, channel, None, Idle()))
    reinforcement.observe(Listed(1000, WORTHWHILE_BYTES, 0))
    for _ in range(100):
        await asyncio.sleep(0)
    if taken:
        channel.close()
    else:
        reinforcement.drain()
    await asyncio.wait_for(running, 5)
    assert Hired.work_done == 0


async def test_nobody_is_hired_for_what_is_all_taken_already(monkeypatch):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    channel = waiting()
    channel.close()
    reinforcement = Processes(EIGHT, at_once=True)
    reinforcement.observe(PLENTY[0])
    await reinforcement.run(AT_ONCE, channel, None, Idle())
    assert Hired.work_done == 0


async def test_a_run_that_is_interrupted_before_it_is_long_enough_hires_nobody(monkeypatch):
    monkeypatch.setattr(processes, "Company", Hired)
    monkeypatch.setattr(Hired, "work_done", 0)
    reinforcement = Processes(EIGHT, at_once=True)
    running = asyncio.create_task(reinforcement.run(AT_ONCE, waiting(), None, Idle()))
    await asyncio.sleep(0)
    reinforcement.drain()
    reinforcement.observe(PLENTY[0])
    await asyncio.wait_for(running, 5)
    assert Hired.work_done == 0


def errors(of=S3HaulError):
    for one in of.__subclasses__():
        yield one
        yield from errors(one)


# The interruption is the parent's own; it never travels.
@pytest.mark.parametrize(
    "kind", sorted(set(errors()) - {InterruptedRunError}, key=lambda kind: kind.__name__)
)
def test_every_error_that_ends_a_run_arrives_as_it_was_sent(kind):
    sent = kind("what", hint="do this")
    sent.said, sent.id = "the service", "S3H-XXX-99"
    got = pickle.loads(pickle.dumps(sent))
    assert type(got) is kind
    assert vars(got) == vars(sent)
    assert str(got) == "what"
    assert kind.__module__ == s3haul.errors.__name__


class Wire:
    """A link with a process that says what the test says."""

    def __init__(self, *heard):
        self.sent = []
        self.heard = list(heard)

    def send(self, message):
        self.sent.append(message)

    async def receive(self):
        return self.heard.pop(0) if self.heard else None

    @property
    def handed(self):
        return [[target.ref.key for target in sent.targets] for sent in self.sent if isinstance(sent, Work)]


def target(key, size=10):
    return Target(ObjectRef(key, size, '"e"', 0.0), SafePath((key,)), Verb.FETCH)


def seated(*heard):
    """A seat whose process has been started."""
    seat = Seat()
    seat._link = Wire(*heard)
    return seat, seat._link


async def test_what_is_given_in_one_round_travels_together_and_once():
    seat, wire = seated(Ready("p-"))
    await seat.receive()
    for key in "abc":
        seat.give(target(key))
    assert wire.handed == []
    await asyncio.sleep(0)
    seat.give(target("d"))
    await asyncio.sleep(0)
    assert wire.handed == [["a", "b", "c"], ["d"]]


async def test_a_target_given_in_the_round_in_which_a_new_process_is_ready_is_sent_once():
    seat, wire = seated(Ready("p-"))
    seat.give(target("a"))  # to one that has died
    seat.ready = False
    await seat.receive()  # its successor
    await asyncio.sleep(0)
    assert wire.handed == [["a"]]


async def test_a_careful_seat_hands_out_one_target_at_a_time_and_blames_no_other():
    seat, wire = seated(Ready("p-"))
    for key in "abc":
        seat.give(target(key))
    seat.careful = True
    await seat.receive()
    assert wire.handed == [["a"]]
    assert not seat.has_room(10)
    assert [one.ref.key for one in seat.under_way()] == ["a"]
    seat.take("a")
    seat.take("b")
    assert wire.handed == [["a"], ["b"], ["c"]]
    assert seat.has_room(10)
    assert not seat.careful


def test_a_seat_has_no_room_without_a_process_and_not_beyond_what_it_may_have_at_hand():
    seat = Seat()
    assert not seat.has_room(10)
    seat.ready = True
    assert seat.has_room(1)
    seat.outstanding = {str(n): target(str(n)) for n in range(128)}
    assert seat.has_room(1)
    seat.load = 1 << 40
    assert not seat.has_room(1)
    assert seat.has_room(129)  # what is under way at once is not counted in bytes
    assert least_loaded([seat, other := Seat()]) is other


def test_a_seat_is_dismissed_once_and_only_when_there_is_somebody():
    seat, wire = seated()
    seat.dismiss()
    assert wire.sent == []
    seat.ready = True
    seat.dismiss()
    seat.dismiss()
    assert wire.sent == [Drain()]


async def test_nothing_more_is_handed_to_a_process_that_was_dismissed_in_the_same_round():
    seat, wire = seated(Ready("p-"))
    await seat.receive()
    seat.give(target("a"))
    seat.dismiss()
    await asyncio.sleep(0)
    assert wire.sent == [Drain()]


async def test_a_process_that_nobody_hears_is_let_go_of():
    seat = Seat()
    assert await seat.end() == "it could not be started"
    assert seat.look() == 0
    seat.kill()
