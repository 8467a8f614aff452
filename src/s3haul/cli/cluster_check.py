"""`s3haul cluster check` at work: the same look from every place where workers run, and what each of them saw."""

import asyncio
import json as jsonlib
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path

from s3haul.cli import streams
from s3haul.cli.cluster_run import Where
from s3haul.cluster.checks import NodeCheck, check_node, landmark
from s3haul.cluster.directory import RunDirectory
from s3haul.core.text import show

__all__ = ["Where", "run"]


def run(root: Path, where: Where, *, json: bool) -> int:
    """Check; prints what every node saw, and returns the worst of their exit codes, of which 3 is the least."""
    directory = RunDirectory(root)
    local = where.local_root
    checks: Sequence[NodeCheck]
    with landmark(directory.describe()) as mark:
        if where.executor == "ray":
            from s3haul.cluster.ray import check_nodes  # noqa: PLC0415 - an extra

            with redirect_stdout(sys.stderr):  # Ray speaks there
                checks = check_nodes(where.ray_address, directory.root, local, mark)
        else:
            checks = [asyncio.run(check_node(directory.root, local, mark))]
    if json:
        streams.put(jsonlib.dumps({"schema": 1, "nodes": [asdict(check) for check in checks]}))
    else:
        streams.put_report("\n".join(line for check in checks for line in _lines(check)))
    return max((check.exit_code for check in checks), key=lambda code: (code != 3, code), default=0)


def _lines(check: NodeCheck) -> Iterator[str]:
    fine = "nothing stands in the way" if not check.exit_code else f"exit code {check.exit_code}"
    yield f"{show(check.node)}: {fine}"
    for trouble in check.troubles:
        yield f"  x {show(trouble['message'])}   [{trouble['id']}]"
        yield f"    Fix: {show(trouble['hint'])}"
    for finding in check.findings:
        yield f"  {'x' if finding['level'] == 'error' else '!'} {show(finding['title'])}   [{finding['id']}]"
        yield f"    {show(finding['who'])}: {show(finding['fix'])}"
