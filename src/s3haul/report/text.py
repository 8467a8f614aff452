"""The report in words: the sentences and figures that all formats share, and the Markdown for a ticket or a
mail, which has result, figures and causes, but no charts.

The sentences claim no more than the journal knows.
"""

import re
import time
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from s3haul.core.text import command_line, human_bytes, human_count, human_duration, show
from s3haul.journal.reader import Run
from s3haul.report.content import DIRECTORIES, STATES, Report

EXAMPLES = 5
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~&])")


class Head(NamedTuple):
    """The result as a word, a title and a sentence. `level` is a class of the style sheet."""

    level: str
    badge: str
    title: str
    sentence: str


class Tile(NamedTuple):
    """One figure, with a short explanation."""

    name: str
    value: str
    note: str = ""


def headline(report: Report) -> Head:
    """The result of all runs so far."""
    done, skipped, failed, vanished = (report.states[state].objects for state in STATES)
    if report.under_way:
        return Head("calm", "Under way", f"{human_count(done, 'object')} so far", "A run works on it now.")
    if not report.finished:
        sentence = "The last run was interrupted. The same s3haul cp command resumes it."
        return Head("warn", "Unfinished", f"{human_count(done, 'object')} so far", sentence)
    if failed:
        title = f"{human_count(failed, 'object')} of {human_count(report.all.objects)} failed"
        sentence = "Reasons, and who can fix them, are below. The same command tries again."
        return Head("bad", "Incomplete", title, sentence)
    if skipped or vanished:
        counts = [
            f"{count:,} {state}" for state, count in (("skipped", skipped), ("vanished", vanished)) if count
        ]
        title = f"Of {human_count(report.all.objects, 'object')}: {', '.join(counts)}"
        return Head("warn", "Incomplete", title, "All others are here. The reasons are below.")
    if not done:
        return Head("calm", "Empty", "Nothing was listed", "The source has no object that is selected.")
    return Head("good", "Complete", "Every listed object is here", _proof(report))


def _proof(report: Report) -> str:
    by_size = sum(share.amount.objects for share in report.verdicts if share.name.startswith("by size"))
    if not by_size:
        return "The bytes of every file match the checksum that S3 stores."
    directories = sum(share.amount.objects for share in report.verdicts if share.name == DIRECTORIES)
    verified = report.states["done"].objects - by_size - directories
    return (
        f"The bytes of {human_count(verified)} match the checksum that S3 stores; {human_count(by_size)} could be"
        " checked by size alone, since S3 stores no checksum of them that can be computed."
    )


def commands(report: Report) -> dict[str, str]:
    """The commands for more details."""
    states = [state for state in ("failed", "skipped", "vanished") if report.states[state].objects]
    chosen = [word for state in states for word in ("--state", state)]
    return {
        "manifest": command_line(("s3haul", "manifest", report.destination)),
        "verify": command_line(("s3haul", "verify", report.destination)),
        "incomplete": command_line(("s3haul", "manifest", report.destination, *chosen)),
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
    done, skipped, failed, vanished = (report.states[state] for state in STATES)
    yield Tile("Here", human_count(done.objects), f"objects, {human_bytes(done.bytes)}")
    yield Tile("Failed", human_count(failed.objects), human_bytes(failed.bytes) if failed.objects else "")
    yield Tile("Skipped", human_count(skipped.objects), human_bytes(skipped.bytes) if skipped.objects else "")
    if vanished.objects:
        yield Tile("Vanished", human_count(vanished.objects), "in a list, not in the bucket")
    if report.seconds:
        runs = f"in {human_count(len(report.runs), 'run')}" if len(report.runs) > 1 else ""
        yield Tile("Time", human_duration(report.seconds), runs)
    if (samples := report.performance.samples) and (received := sum(sample.bytes for sample in samples)):
        seconds = samples[-1].start + samples[-1].seconds
        objects = sum(sample.objects for sample in samples) / seconds
        yield Tile("Speed", f"{human_bytes(received / seconds)}/s", f"{objects:,.0f} objects/s")
    retries = sum(report.performance.retries.values())
    note = f"{human_count(report.repeated, 'object')} took several" if report.repeated else ""
    yield Tile("Repeated requests", human_count(retries), note)


def markdown(report: Report) -> Iterator[str]:
    """The lines. Text from outside cannot become markup: it is escaped, or is in a code span."""
    head = headline(report)
    yield f"# {head.badge}: {head.title}"
    yield ""
    yield head.sentence
    yield ""
    yield f"{_code(report.source)} to {_code(report.destination)}, {moment(report.generated)}"
    yield from _table(
        ("State", "Objects", "Bytes"),
        [
            (state, human_count(amount.objects), human_bytes(amount.bytes))
            for state, amount in report.states.items()
        ],
    )
    if report.verdicts:
        yield from _section("How the bytes were checked")
        yield from _table(
            ("Checked", "Objects", "Bytes"),
            [
                (_plain(share.name), human_count(share.amount.objects), human_bytes(share.amount.bytes))
                for share in report.verdicts
            ],
        )
    yield from _causes(report)
    yield from _section("Encryption")
    yield from _table(
        ("KMS key", "Encryption", "Objects", "Bytes", "Failed"),
        [
            (
                _code(key.kms_key_id) if key.kms_key_id else "none or unknown",
                _plain(key.encryption or "unknown"),
                human_count(key.amount.objects),
                human_bytes(key.amount.bytes),
                human_count(key.failed),
            )
            for key in report.keys
        ],
    )
    yield from _section("Runs")
    yield from _table(
        ("Run", "Started", "Duration", "Ended"),
        [
            (
                str(run.number),
                moment(run.started),
                "" if run.ended is None else human_duration(run.ended - run.started),
                ending(run),
            )
            for run in report.runs
        ],
    )


def _causes(report: Report) -> Iterator[str]:
    if not report.causes:
        return
    yield from _section("What is not here, and why")
    for cause in report.causes:
        yield f"- **{human_count(cause.amount.objects)} {cause.state}**: {_plain(cause.sentence)} ({cause.id or cause.reason})"
        if cause.detail:
            yield f"  - {_plain(cause.detail)}"
        if cause.fix:
            yield f"  - {cause.who}: {_plain(cause.fix)}"
        yield f"  - for example {', '.join(_code(row.key) for row in cause.rows[:EXAMPLES])}"
    yield ""
    yield f"All of them: {_span(commands(report)['incomplete'])}"


def _section(title: str) -> Iterator[str]:
    yield from ("", f"## {title}")


def _table(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield from ("", f"| {' | '.join(names)} |", f"|{' --- |' * len(names)}")
    yield from (f"| {' | '.join(row)} |" for row in rows)


def _plain(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", show(text))


def _code(text: str) -> str:
    """A code span. Bars are written as their code point: in a table, a bar ends the cell even in code."""
    return _span(show(text).replace("|", "\\u007c"))


def _span(text: str) -> str:
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if text.startswith("`") or text.endswith("`") or not text else ""
    return f"{fence}{space}{text}{space}{fence}"
