"""Formats steps and findings of a check. All text from outside is escaped with `show`."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from s3haul.core.text import show
from s3haul.diagnose.causes import Finding, Level
from s3haul.diagnose.evidence import StepResult

_MARKS = {True: "ok", False: "x", None: "-"}
_SIGNS = {Level.NOTE: "-", Level.WARNING: "!", Level.ERROR: "x"}


def step_line(step: StepResult) -> str:
    """One step: its result, its name, what it shows; details on further lines."""
    lines = [f"{_MARKS[step.ok]:<3}{step.step:<14} {show(step.text)}"]
    lines += [f"{'':<17} {show(detail)}" for detail in step.details]
    return "\n".join(lines)


def report_lines(found: Sequence[Finding], *, quiet: bool = False) -> Iterator[str]:
    """All findings, or a sentence that there are none."""
    shown = [one for one in found if not (quiet and one.level is Level.NOTE)]
    for one in shown:
        yield from finding_lines(one)
    if not shown and not quiet:
        yield "No problems found."


def finding_lines(found: Finding) -> Iterator[str]:
    """What is wrong, the message of AWS, who can fix it, what is affected, how to fix it, where to read more."""
    yield f"{_SIGNS[found.level]} {show(found.title.removesuffix('.'))}   [{found.id}]"
    if found.said:
        yield f"  AWS said: {show(found.said)}"
    if found.seen:
        yield f"  Seen: {show(found.seen)}"
    yield f"  Who fixes it: {found.who}{_extent(found)}"
    yield from (f"    {show(str(group))}" for group in found.groups)
    if found.examples:
        yield f"    for example {', '.join(show(key) for key in found.examples)}"
    yield f"  Fix: {show(found.fix)}"
    if found.statement:
        yield f"  Statement: {show(json.dumps(found.statement))}"
    yield f"  More: s3haul help {found.id}"


def as_object(found: Finding) -> dict[str, Any]:
    """The finding as JSON values."""
    fields = asdict(found)
    fields["groups"] = [group._asdict() for group in found.groups]
    return fields


def _extent(found: Finding) -> str:
    if not found.sampled:
        return ""
    of = f"{found.sampled} objects" if found.complete else f"{found.sampled} sampled objects"
    return f"; affects {found.affected} of {of}"
