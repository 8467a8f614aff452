"""Runs one command and writes what it cost as JSON: `launch.py REPORT COMMAND...`. Imports next to nothing.

A process of its own, because Linux starts the peak memory of a child at that of the process that
spawned it: measured from the runner, every client would seem to need what the runner needs.
"""

import json
import os
import sys
import time

report, *command = sys.argv[1:]
began = time.monotonic()
child = os.posix_spawnp(command[0], command, os.environ)
_, status, usage = os.wait4(child, 0)
wall = time.monotonic() - began
with open(report, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is more than all else here
    json.dump(
        {
            "status": os.waitstatus_to_exitcode(status),
            "wall": wall,
            "user": usage.ru_utime,
            "system": usage.ru_stime,
            "peak_memory": usage.ru_maxrss * 1024,
        },
        file,
    )
