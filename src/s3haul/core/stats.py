"""The statistics of one run: every event is counted here, and at the end the counts must balance.

Pure: events in, counts out. Progress shows them, the summary prints them, the exit code follows from
them. listed = filtered + already done + done + skipped + failed + vanished, or something was lost.
"""

from collections import Counter
from dataclasses import dataclass, field

from s3haul.core.keypath import MARK
from s3haul.events import (
    AlreadyDone,
    Changed,
    CredentialsRenewed,
    Event,
    Finished,
    Listed,
    ListingEnded,
    PartialsKept,
    Received,
    Reconciled,
    Resumed,
    Retrying,
    Warned,
)
from s3haul.models import Outcome, State, Verdict

EXAMPLES_PER_REASON = 3
_ACCESS_REASONS = frozenset(
    {"access-denied", "kms-access-denied", "kms-key-unusable", "requester-pays", "signature-refused"}
)


@dataclass(slots=True)
class Cause:
    """All objects that ended for one reason; `detail` and `keys` are the first few, for the message."""

    count: int = 0
    bytes: int = 0
    detail: str = ""
    keys: list[str] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        self.count += 1
        self.bytes += outcome.ref.size
        self.detail = self.detail or outcome.detail or ""
        if len(self.keys) < EXAMPLES_PER_REASON:
            self.keys.append(outcome.ref.plain_key)


@dataclass(slots=True)
class Stats:
    """Counts of objects and bytes. `received` counts body bytes that were kept, `resumed` those of earlier
    runs that are in objects which this one finished or goes on with. `found` are objects, part of `done`,
    whose file was there already and has been verified; `replacing` those whose file differed; `encoded` those
    whose key cannot be a file name as it is. `vanished` are objects that a list names and S3 does not find any more,
    `changed` those of `done` that are another version than the list says."""

    selected: int = 0
    selected_bytes: int = 0
    filtered: int = 0
    listing_complete: bool = False
    already: int = 0
    already_bytes: int = 0
    done: int = 0
    done_bytes: int = 0
    found: int = 0
    found_bytes: int = 0
    replacing: int = 0
    encoded: int = 0
    received: int = 0
    resumed: int = 0
    verdicts: Counter[str] = field(default_factory=Counter)
    algorithms: Counter[str] = field(default_factory=Counter)
    skipped: dict[str, Cause] = field(default_factory=dict)
    failed: dict[str, Cause] = field(default_factory=dict)
    vanished: Cause = field(default_factory=Cause)
    changed: int = 0
    reconciled: Reconciled | None = None
    retries: Counter[str] = field(default_factory=Counter)
    last_retry: Retrying | None = None
    throttles: int = 0
    kept_partials: int = 0
    kept_bytes: int = 0
    renewals: int = 0
    next_refresh: float | None = None
    warnings: list[str] = field(default_factory=list)

    def observe(self, event: Event) -> None:  # noqa: C901, PLR0912 - one case a kind of event
        """Add one event to the books."""
        match event:
            case Received():
                self.received += event.bytes
            case Resumed():
                self.resumed += event.bytes
            case Finished():
                self._finish(event.outcome)
            case Reconciled():
                self.reconciled = event
            case Changed():
                self.changed += 1
            case AlreadyDone():
                self.already += event.objects
                self.already_bytes += event.bytes
            case Listed():
                self._list(event)
            case ListingEnded():
                self.listing_complete = True
            case Retrying():
                self._retry(event)
            case PartialsKept():
                self.kept_partials += event.objects
                self.kept_bytes += event.bytes
            case CredentialsRenewed():
                self.renewals += not event.first
                self.next_refresh = event.next_refresh
            case Warned():
                self.warnings.append(event.message)

            case _:
                pass

    def _list(self, event: Listed) -> None:
        self.selected += event.objects
        self.selected_bytes += event.bytes
        self.filtered += event.filtered
        self.replacing += event.replacing

    def _retry(self, event: Retrying) -> None:
        self.retries[event.reason] += 1
        self.last_retry = event
        self.throttles += event.reason == "throttled"

    def _finish(self, outcome: Outcome) -> None:
        match outcome.state:
            case State.DONE:
                self.done += 1
                self.done_bytes += outcome.ref.size
                if not outcome.fetched and outcome.ref.size:
                    self.found += 1
                    self.found_bytes += outcome.ref.size
                if outcome.path and MARK in outcome.path:
                    self.encoded += 1
                if outcome.verdict is not None:
                    self.verdicts[outcome.verdict] += 1
                if outcome.checksum and outcome.verdict is Verdict.VERIFIED:
                    self.algorithms[f"{outcome.checksum.algorithm} {outcome.checksum.type}"] += 1
            case State.SKIPPED:
                self.skipped.setdefault(outcome.reason or "", Cause()).add(outcome)
            case State.FAILED:
                self.failed.setdefault(outcome.reason or "", Cause()).add(outcome)
            case State.VANISHED:
                self.vanished.add(outcome)

    @property
    def failed_count(self) -> int:
        return sum(cause.count for cause in self.failed.values())

    @property
    def skipped_count(self) -> int:
        return sum(cause.count for cause in self.skipped.values())

    @property
    def lost_bytes(self) -> int:
        """Bytes of objects that were skipped, failed or vanished, and so will not arrive."""
        return sum(cause.bytes for cause in (*self.failed.values(), *self.skipped.values(), self.vanished))

    @property
    def ended(self) -> int:
        """Selected objects that have reached their one final state."""
        return self.already + self.done + self.skipped_count + self.failed_count + self.vanished.count

    @property
    def balanced(self) -> bool:
        """Whether every selected key has ended in exactly one state."""
        return self.listing_complete and self.selected == self.ended

    @property
    def refused_everything(self) -> bool:
        """Nothing could be read, and for lack of rights alone: a matter of access, not of objects."""
        return bool(self.failed) and not (self.already or self.done) and self.failed.keys() <= _ACCESS_REASONS

    @property
    def exit_code(self) -> int:
        """The exit code of a run that was not cut short; 70 (a bug) when the books do not balance."""
        if not self.balanced:
            return 70
        if self.refused_everything:
            return 4
        if self.failed:
            return 1
        return 3 if self.skipped or self.vanished.count else 0
