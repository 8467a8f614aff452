"""How much code one object passes through: `python benchmarks/path_length.py`.

Copies N and 2 N objects of one kind in this process under a profiler, in all threads. What is called more
often with 2 N objects, by half an object or more, belongs to the path of an object. Prints its modules and
its Python calls of s3haul's own code. Counts no time: the profiler makes everything slow.
"""

import os
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import s3haul
from s3haul.cli.app import run as command
from scenarios import MIB, Scenario
from server import Server, memory_directory

PACKAGE = str(Path(s3haul.__file__).parent)
KINDS = {"small": (100, 4096), "large": (2, 200 * MIB)}  # number, bytes


def calls_of(scenario: Scenario, scratch: str) -> Counter[CodeType]:
    """Calls of each function of s3haul while the scenario is copied."""
    calls: Counter[CodeType] = Counter()

    def count(frame: FrameType, event: str, _arg: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            calls[frame.f_code] += 1

    with Server(scenario, workers=1) as server:
        where = ["--endpoint-url", server.endpoint("https"), "--ca-bundle", str(server.ca), "--no-progress"]
        threading.setprofile(count)
        sys.setprofile(count)
        try:
            code = command(["cp", f"s3://{scenario.bucket}", f"{scratch}/{scenario.name}", *where])
        finally:
            sys.setprofile(None)
            threading.setprofile(None)
    if code:
        raise SystemExit(code)
    return calls


def path_of(kind: str, scratch: str) -> dict[CodeType, float]:
    """Calls for one object, by function."""
    number, size = KINDS[kind]
    once = calls_of(Scenario(name=f"once-{kind}", groups=((number, size),), by="objects"), scratch)
    twice = calls_of(Scenario(name=f"twice-{kind}", groups=((2 * number, size),), by="objects"), scratch)
    more = {code: (calls - once[code]) / number for code, calls in twice.items()}
    return {code: calls for code, calls in more.items() if calls >= 0.5}


def main() -> None:
    """Copy, count, print."""
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONFIG_FILE": os.devnull,
    }
    with tempfile.TemporaryDirectory(dir=memory_directory()) as scratch:
        for kind, (_, size) in KINDS.items():
            path = path_of(kind, scratch)
            modules: Counter[str] = Counter()
            for code, calls in path.items():
                modules[str(Path(code.co_filename).relative_to(PACKAGE))] += round(calls)
            print(
                f"an object of {size:,} bytes: {len(modules)} modules, {sum(path.values()):.0f} Python calls"
            )
            for module, calls in sorted(modules.items()):
                names = ", ".join(
                    sorted(code.co_name for code in path if code.co_filename.endswith(f"/{module}"))
                )
                print(f"  {calls:5} {module:34} {names[:110]}")


if __name__ == "__main__":
    main()
