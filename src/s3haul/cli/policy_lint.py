"""Reads the files of `s3haul policy lint` and prints the findings. The rules are in `s3haul.policies`."""

import json as jsonlib
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from s3haul.cli import streams
from s3haul.core.text import show
from s3haul.errors import UsageError
from s3haul.policies.lint import documents_in, lint
from s3haul.policies.names import check_account, check_region
from s3haul.policies.statements import Finding

LARGEST = 1 << 20  # bytes; IAM's largest policy has 10,240 characters


def lint_files(files: Sequence[str], *, account: str | None, region: str | None, json: bool) -> int:
    """Print the findings of all files; returns the exit code. Raises `UsageError` if a file cannot be read."""
    if account is not None:
        check_account(account, "--account")
    if region is not None:
        check_region(region)
    found = [
        (name, finding)
        for file, value in [(file, _read(file)) for file in files]
        for name, document in _named(file, value)
        for finding in lint(document, account=account, region=region)
    ]
    if json:
        objects = [{"file": name, **asdict(finding)} for name, finding in found]
        streams.print_line(jsonlib.dumps({"schema": 1, "clean": not found, "findings": objects}))
    else:
        for name, finding in found:
            streams.print_line("\n".join(_lines(name, finding)))
        streams.print_message(
            f"{len(found) or 'no'} finding{'' if len(found) == 1 else 's'} in {len(files)} file(s)"
        )
    return 1 if found else 0


def _named(file: str, value: Any) -> list[tuple[str, Any]]:
    shown = "stdin" if file == "-" else file
    return [(f"{shown} ({name})" if name else shown, document) for name, document in documents_in(value)]


def _read(file: str) -> Any:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as stream:
            content = stream.read(LARGEST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}.") from error
    if len(content) > LARGEST:
        raise UsageError(f"{file} is too large for a policy.")
    try:
        return jsonlib.loads(content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{file} is not JSON: {error}.") from error


def _lines(name: str, finding: Finding) -> list[str]:
    ids = f"{finding.rule}, {finding.diagnosis}" if finding.diagnosis else finding.rule
    where = f"statement {show(finding.statement)}: " if finding.statement else ""
    lines = [
        f"x {show(name)}: {where}{show(finding.text)}   [{ids}]",
        f"  AWS will say: {finding.said}",
        f"  Who fixes it: {finding.who.upper()}",
    ]
    for statement in finding.corrected:
        text = jsonlib.dumps(statement, indent=2).replace("\n", "\n    ")
        lines += [
            "  Fix: replace it by this" if statement is finding.corrected[0] else "  and",
            f"    {text}",
        ]
    if finding.diagnosis:
        lines.append(f"  More: s3haul help {finding.diagnosis}")
    return lines
