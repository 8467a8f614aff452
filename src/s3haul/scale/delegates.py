"""What stands in an engine process for what only its parent has: the keys, the rate budget, the books.

They ask and report over the link and decide nothing.
"""

import asyncio
import time

from s3haul.aws.keys import Keys
from s3haul.engine.gate import Gate
from s3haul.events import Event, Received, Resumed, Retrying, Warned
from s3haul.models import Block, Outcome, Partial
from s3haul.scale.messages import Began, Budget, Forgotten, Landed, Link, Renew, Report, Throttled

REPORT_EVERY = 0.02  # seconds
LARGEST_REPORT = 64  # outcomes


class Keyring:
    """The keys of the run as the parent last sent them; `Credentials` for the engine."""

    def __init__(self, keys: Keys, link: Link) -> None:
        self._keys = keys
        self._link = link
        self._asked = False
        self._replaced = asyncio.Event()

    @property
    def access_key_id(self) -> str:
        return self._keys.access_key

    async def current(self) -> Keys:
        """Keys that are valid now."""
        expires_at = self._keys.expires_at
        if expires_at is not None and time.time() >= expires_at:
            await self.renew(self._keys.access_key)
        return self._keys

    async def renew(self, stale_access_key: str) -> None:
        if self._keys.access_key != stale_access_key:
            return
        if not self._asked:
            self._asked = True
            self._replaced.clear()
            self._link.send(Renew(stale_access_key))
        await self._replaced.wait()

    def replace(self, keys: Keys) -> None:
        self._keys = keys
        self._asked = False
        self._replaced.set()


class Allowance:
    """What the parent allows: `Tuning` for the gate. It passes on what it hears."""

    def __init__(self, budget: Budget, link: Link) -> None:
        self.limit: float = budget.limit
        self.paused_until = budget.paused_until
        self._link = link
        self.unreported = 0
        self.crowded = False

    def throttled(self, now: float, retry_after: float | None = None) -> None:  # noqa: ARG002 - the parent's clock counts
        self._link.send(Throttled(retry_after))

    def served(self, now: float, count: int, *, crowded: bool) -> None:  # noqa: ARG002 - as above
        self.unreported += count
        self.crowded = self.crowded or crowded


class Reporter:
    """Collects what happens and sends it in batches; also the `PartBook` of the transfers."""

    def __init__(self, link: Link, allowance: Allowance) -> None:
        self._link = link
        self._allowance = allowance
        self.gate = Gate(allowance)
        self._parts: list[Began | Landed | Forgotten] = []
        self._outcomes: list[Outcome] = []
        self._events: list[Retrying | Warned] = []
        self._received = 0
        self._resumed = 0
        self._timer: asyncio.TimerHandle | None = None

    def emit(self, event: Event) -> None:
        """Takes the events of transfers; those of a whole run do not happen here."""
        if isinstance(event, Received):
            self._received += event.bytes
        elif isinstance(event, Resumed):
            self._resumed += event.bytes
        elif isinstance(event, Retrying | Warned):
            self._events.append(event)
        self._schedule()

    def begin(self, partial: Partial) -> None:
        self._parts.append(Began(partial))
        self._schedule()

    def landed(self, temporary: str, block: Block) -> None:
        self._parts.append(Landed(temporary, block))
        self._schedule()

    def forget(self, temporary: str) -> None:
        self._parts.append(Forgotten(temporary))
        self._schedule()

    def finish(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if len(self._outcomes) >= LARGEST_REPORT:
            self.send()
        else:
            self._schedule()

    def send(self) -> None:
        """Report now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        heard = self._allowance
        report = Report(
            self._parts,
            self._outcomes,
            self._events,
            self._received,
            self._resumed,
            heard.unreported,
            heard.crowded,
        )
        self._link.send(report)
        self._parts, self._outcomes, self._events, self._received, self._resumed = [], [], [], 0, 0
        heard.unreported, heard.crowded = 0, False

    def _schedule(self) -> None:
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT_EVERY, self.send)
