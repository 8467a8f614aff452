"""The bucket of a simulated run: the in-memory store, whose answers are late,
wrong or refused as the dice say."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from contract.memory import Call, MemoryStore
from contract.stored import StoredObject, stored, text
from s3haul.aws.credentials import RoleCredentials
from s3haul.aws.sts import RoleSession
from s3haul.core.retry import is_of_run
from s3haul.errors import AssumeRoleError, Fault, FaultKind, StoreError
from s3haul.models import Checksum, KeyPage, ObjectMeta
from s3haul.s3.endpoint import Credentials
from s3haul.store.protocol import GetRequest, SmallObjectWork

STALL = 60.0  # seconds, after which a transport gives a silent server up


def _http(status: int, code: str, message: str = "simulated", **more) -> StoreError:
    return StoreError(Fault(FaultKind.HTTP, message, code=code, status=status, **more))


TRANSIENT: dict[str, Callable[[], StoreError]] = {
    "500": lambda: _http(500, "InternalError"),
    "503": lambda: _http(503, "SlowDown"),
    "503 later": lambda: _http(503, "SlowDown", retry_after=3.0),
    "kms": lambda: _http(400, "KMS.ThrottlingException", "Rate exceeded"),
    "token": lambda: _http(400, "ExpiredToken"),
    "reset": lambda: StoreError(Fault(FaultKind.BROKEN, "connection reset")),
    "refused": lambda: StoreError(Fault(FaultKind.CONNECT, "connection refused")),
    "no name": lambda: StoreError(Fault(FaultKind.CONNECT, "cannot resolve", code="NoAddress")),
    "stall": lambda: StoreError(Fault(FaultKind.STALL, "no byte")),
}
FINAL: dict[str, Callable[[], StoreError]] = {
    "denied": lambda: _http(403, "AccessDenied"),
    "signature": lambda: _http(403, "SignatureDoesNotMatch"),
    "key disabled": lambda: _http(400, "KMS.DisabledException"),
    "not implemented": lambda: _http(501, "NotImplemented"),
    "bare": lambda: _http(400, ""),
    "intercepted": lambda: StoreError(Fault(FaultKind.INTERCEPTED, "a portal")),
    "redirect": lambda: StoreError(Fault(FaultKind.REDIRECT, "elsewhere", status=307)),
}


def made(kind: str) -> StoreError:
    """A new error of this kind."""
    return (TRANSIENT.get(kind) or FINAL[kind])()


BODIES = ("cut", "short", "long", "flip", "header", "range", "slow")
LISTINGS = ("no token", "same token", "empty")


@dataclass
class Weather:
    """How much goes wrong. Probabilities are for each request;
    an outage is (seconds from the start, seconds, kind)."""

    transient: float = 0.0
    final: float = 0.0
    bodies: float = 0.0
    listings: float = 0.0
    changes: float = 0.0  # of an object, while it is fetched
    latency: float = 0.01
    outages: list[tuple[float, float, str]] = field(default_factory=list)
    kinds: tuple[str, ...] = tuple(TRANSIENT)


class Service(MemoryStore):
    """`versions` has every body that a key ever had, by ETag; `listed` the keys that a page has named."""

    def __init__(
        self,
        objects: dict[str, StoredObject],
        versions: dict[str, dict[str, bytes]],
        dice: Random,
        weather: Weather,
        *,
        batches: bool,
        page_size: int,
    ) -> None:
        super().__init__(objects, fault=self._trouble, page_size=page_size)
        self.versions = versions
        self.listed: set[str] = set()
        self.weather = weather
        self.session: Session | None = None
        self.running = self.most_running = 0
        self.fetched: set[str] = set()
        self._dice, self._batches = dice, batches
        self._began: float | None = None
        self._thread: Batches | None = None

    def small_objects(self, work: SmallObjectWork):
        self._thread = Batches(self, work, self.session) if self._batches else None
        return self._thread

    async def ended(self) -> None:
        """The thread has ended, as it has when `close` returns in earnest."""
        if self._thread is not None:
            await self._thread.ended()

    def change(self, key: str, body: bytes) -> None:
        """A new version of an object."""
        made = stored(body, algorithm="CRC64NVME")
        self.objects[key] = made
        self.versions[key][made.etag] = body

    async def _trouble(self, call: Call) -> None:
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            await self._answer(call)
        finally:
            self.running -= 1

    async def _answer(self, call: Call) -> None:
        loop, dice, weather = asyncio.get_running_loop(), self._dice, self.weather
        self._began = loop.time() if self._began is None else self._began
        if self.session is not None:
            await self.session.check()
        await asyncio.sleep(weather.latency * dice.random() * 2)
        kind = self._kind(loop.time() - self._began)
        if kind == "stall":
            await asyncio.sleep(STALL)
        if kind:
            raise made(kind)
        if call.operation == "list":
            self._spoil_page(call)
        if call.operation == "get":
            self.fetched.add(call.key)
            self._spoil_body(call)

    def _kind(self, since: float) -> str:
        for begin, seconds, kind in self.weather.outages:
            if begin <= since < begin + seconds:
                return kind
        roll = self._dice.random()
        if roll < self.weather.transient:
            return self._dice.choice(self.weather.kinds)
        return self._dice.choice(sorted(FINAL)) if roll > 1.0 - self.weather.final else ""

    def _spoil_page(self, call: Call) -> None:
        page = call.answer
        assert isinstance(page, KeyPage)
        if self._dice.random() < self.weather.listings:
            match self._dice.choice(LISTINGS):
                case "no token":
                    page = page._replace(truncated=True, token=None)
                case "same token":
                    page = page._replace(truncated=True, token="00")
                case "empty":
                    page = page._replace(entries=(), empty_answer=True, key_count=None, truncated=False)
        # Entries are right whatever the token is, which the reader of a range that ends on
        # this page does not need.
        self.listed.update(entry.key for entry in page.entries)
        call.answer = page

    def _spoil_body(self, call: Call) -> None:
        dice, meta = self._dice, call.answer
        assert isinstance(meta, ObjectMeta)
        data = b"".join(chunk for chunk in call.chunks if isinstance(chunk, bytes))
        step = max(1, len(data) // dice.randint(1, 4))
        call.chunks = [data[at : at + step] for at in range(0, len(data), step)]
        provable = bool(self.objects[call.key].checksums)  # of the version that is sent
        if dice.random() < self.weather.changes:
            self.change(call.key, dice.randbytes(len(data)))
        if dice.random() >= self.weather.bodies or not data:
            return
        match dice.choice(BODIES):
            case "cut":
                call.chunks[dice.randrange(len(call.chunks)) :] = [made("reset")]
            case "short":
                call.chunks.pop()
            case "long":
                call.chunks.append(b"more")
            case "flip" if provable:
                number = dice.randrange(len(call.chunks))
                chunk = bytearray(call.chunks[number])
                chunk[dice.randrange(len(chunk))] ^= 1 << dice.randrange(8)
                call.chunks[number] = bytes(chunk)
            case "header" if meta.checksums:
                wrong = Checksum(meta.checksums[0].algorithm, meta.checksums[0].type, text(b"wrong!!!"))
                call.answer = meta._replace(checksums=(wrong,))
            case "range" if meta.status == 206:
                call.answer = meta._replace(range_start=(meta.range_start or 0) + 1)
            case "slow":
                call.chunks.insert(dice.randrange(len(call.chunks)), _pause)


async def _pause() -> None:
    await asyncio.sleep(5.0)


class Session:
    """The real credentials of a role, from an STS that fails now and then; sessions are short."""

    def __init__(self, dice: Random, *, seconds: float, failing: float, emit) -> None:
        self._dice, self._seconds, self._failing = dice, seconds, failing
        self._count = 0
        self._clock = asyncio.get_running_loop().time
        self.credentials = RoleCredentials(self._assume, on_event=emit, clock=self._clock, jitter=dice.random)

    async def check(self) -> None:
        """A request is signed, and its keys are looked at."""
        keys = await self.credentials.current()
        if keys.expires_at is not None and keys.expires_at <= self._clock():
            raise made("token")

    async def _assume(self) -> RoleSession:
        await asyncio.sleep(0.1 * self._dice.random())
        if self._count and self._dice.random() < self._failing:
            raise AssumeRoleError("simulated: STS is down")
        self._count += 1
        expires = self._clock() + self._seconds
        keys = Credentials(f"ASIA{self._count:012}", "secret", "token", expires)
        return RoleSession(keys, "arn:aws:sts::111111111111:assumed-role/r/s", expires, self._seconds)


class Batches:
    """As `store.SmallObjects`: a thread of a transport, on the loop."""

    def __init__(self, service: MemoryStore, work: SmallObjectWork, session: Session | None = None) -> None:
        self._service, self._work, self._session = service, work, session
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task] = set()
        self.closing = self._woken = False

    @property
    def waited(self) -> float:
        return self._loop.time()  # it costs no time to handle a response

    def wake(self) -> None:
        if not self._woken and not self.closing:
            self._woken = True
            self._loop.call_soon(self._go_on)

    def close(self) -> None:
        self.closing = True
        for task in self._tasks:
            task.cancel()

    async def ended(self) -> None:
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _go_on(self) -> None:
        self._woken = False
        if self.closing:
            return
        while (ref := self._work.next()) is not None:
            task = self._loop.create_task(self._fetch(ref))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._work.before_wait()

    async def _fetch(self, ref) -> None:
        body: list[bytes] = []
        access_key = self._session.credentials.access_key_id if self._session else ""
        try:
            request = GetRequest(ref.key, if_match=ref.etag)
            meta = await self._service.load(request, lambda _meta: lambda chunk: body.append(bytes(chunk)))
        except StoreError as error:
            fault = error.fault
            if not self.closing:
                self._work.not_received(ref, None if is_of_run(fault) else fault, access_key)
        else:
            if not self.closing:
                self._work.received(ref, meta, body)
        self._go_on()
