"""Outcomes and journals to test with."""

from pathlib import Path

from s3haul.journal import Journal, SourceIdentity
from s3haul.models import Checksum, ObjectRef, Outcome, State, Verdict

SOURCE = SourceIdentity("bucket", "base/", "https://s3.example")
CRC = Checksum("CRC64NVME", "FULL_OBJECT", "rosUhgp5mIg=")


def done(key: str, size: int = 9, **fields) -> Outcome:
    """A verified object, stored under its own name."""
    given = {"path": key, "verdict": Verdict.VERIFIED, "checksum": CRC, "sse": "aws:kms", **fields}
    return Outcome(ref(key, size), State.DONE, **given)


def failed(key: str, reason: str = "network", **fields) -> Outcome:
    """An object that could not be fetched."""
    return Outcome(ref(key, 9), State.FAILED, reason=reason, **fields)


def ref(key: str, size: int) -> ObjectRef:
    """The entry of the listing; the ETag is the key's own, and sorts otherwise."""
    return ObjectRef(key, size, f'"{key.encode("utf-8", "surrogatepass").hex()[::-1]}"', 1_700_000_000.5)


def nothing() -> None:
    """A `sync` that has nothing to sync."""


def open_journal(path: Path, **options) -> Journal:
    """A journal that commits only when told, unless `options` say otherwise."""
    given = {"sync": nothing, "batch": 10**6, "interval": 3600.0, "clock": lambda: 1_700_000_100.0, **options}
    return Journal.open(path, SOURCE, **given)


def written(path: Path, *outcomes: Outcome) -> Path:
    """A closed journal that holds these outcomes."""
    journal = open_journal(path)
    number = journal.begin_run()
    for outcome in outcomes:
        journal.record(outcome)
    journal.end_run(number, complete=True)
    journal.close()
    return path
