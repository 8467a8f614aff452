"""The sentences and figures that all formats of a report share: the result, the commands for more details.

They claim no more than the journal knows.
"""

import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass

from s3haul.core.text import human_bytes, human_count, human_duration
from s3haul.journal.reader import Run
from s3haul.report.content import Report


@dataclass(frozen=True, slots=True)
class Head:
    """The result as a word, a title and a sentence. `level` is a class of the style sheet."""

    level: str
    badge: str
    title: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure, with a short explanation."""

    name: str
    value: str
    note: str = ""


def headline(report: Report) -> Head:
    """The result of all runs so far."""
    done, skipped, failed = (report.states[state].objects for state in ("done", "skipped", "failed"))
    if report.under_way:
        return Head("calm", "Under way", f"{human_count(done, 'object')} so far", "A run works on it now.")
    if not report.finished:
        sentence = "The last run was interrupted. The same s3haul cp command resumes it."
        return Head("warn", "Unfinished", f"{human_count(done, 'object')} so far", sentence)
    if failed:
        title = f"{human_count(failed, 'object')} of {human_count(report.all.objects)} failed"
        return Head(
            "bad",
            "Incomplete",
            title,
            "Reasons, and who can fix them, are below. The same command tries again.",
        )
    if skipped:
        title = f"{human_count(skipped, 'object')} of {human_count(report.all.objects)} skipped"
        return Head("warn", "Incomplete", title, "All others are here. The reasons are below.")
    if not done:
        return Head("calm", "Empty", "Nothing was listed", "The source has no object that is selected.")
    return Head("good", "Complete", "Every listed object is here", _proof(report))


def _proof(report: Report) -> str:
    by_size = sum(share.amount.objects for share in report.verdicts if share.name.startswith("by size"))
    if not by_size:
        return "The bytes of every one match the checksum that S3 stores."
    verified = report.states["done"].objects - by_size
    return (
        f"The bytes of {human_count(verified)} match the checksum that S3 stores; {human_count(by_size)} could be"
        " checked by size alone, since S3 stores no checksum of them that can be computed."
    )


def commands(report: Report) -> dict[str, str]:
    """The commands for more details."""
    dest = shlex.quote(report.destination)
    states = " ".join(f"--state {state}" for state in ("failed", "skipped") if report.states[state].objects)
    return {
        "manifest": f"s3haul manifest {dest}",
        "verify": f"s3haul verify {dest}",
        "incomplete": f"s3haul manifest {dest} {states}",
    }


def ending(run: Run) -> str:
    """How a run ended, in a few words."""
    if run.ended is None:
        return "interrupted"
    meanings = {0: "complete", 1: "some objects failed", 3: "some objects skipped", 4: "access refused"}
    meaning = meanings.get(run.exit_code or 0, "")
    return f"exit code {run.exit_code}{meaning and f': {meaning}'}"


def moment(seconds: float) -> str:
    """A date and time, in UTC as in the manifest."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def tiles(report: Report) -> Iterator[Tile]:
    """The most important figures."""
    done, failed, skipped = (report.states[state] for state in ("done", "failed", "skipped"))
    yield Tile("Here", human_count(done.objects), f"objects, {human_bytes(done.bytes)}")
    yield Tile("Failed", human_count(failed.objects), human_bytes(failed.bytes) if failed.objects else "")
    yield Tile("Skipped", human_count(skipped.objects), human_bytes(skipped.bytes) if skipped.objects else "")
    if report.seconds:
        count = len(report.runs)
        yield Tile(
            "Time", human_duration(report.seconds), f"in {human_count(count, 'run')}" if count > 1 else ""
        )
    if (samples := report.course.samples) and (received := sum(sample.bytes for sample in samples)):
        seconds = samples[-1].start + samples[-1].seconds
        objects = sum(sample.objects for sample in samples) / seconds
        yield Tile("Speed", f"{human_bytes(received / seconds)}/s", f"{objects:,.0f} objects/s")
    retries = sum(report.course.retries.values())
    note = f"{human_count(report.repeated, 'object')} took several" if report.repeated else ""
    yield Tile("Repeated requests", human_count(retries), note)
