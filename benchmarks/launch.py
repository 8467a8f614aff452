"""Runs one command and writes what it cost as JSON: `launch.py REPORT COMMAND...`. Imports next to nothing.

A process of its own, because Linux starts the peak memory of a child at that of the process that
spawned it: measured from the runner, every client would seem to need what the runner needs. It adopts what
the command leaves behind (prctl(2), PR_SET_CHILD_SUBREAPER), so that nothing is left out of the CPU.
"""

import json
import os
import resource
import sys
import time

report, *command = sys.argv[1:]
began = time.monotonic()
child = os.posix_spawnp(command[0], command, os.environ)

import ctypes  # noqa: E402 - after the start, which would inherit what it needs

PR_SET_CHILD_SUBREAPER = 36
ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
_, status = os.waitpid(child, 0)
wall = time.monotonic() - began
try:
    while True:
        os.wait()
except ChildProcessError:
    tree = resource.getrusage(resource.RUSAGE_CHILDREN)
with open(report, "w", encoding="ascii") as file:  # noqa: PTH123 - pathlib is more than all else here
    json.dump(
        {
            "status": os.waitstatus_to_exitcode(status),
            "wall": wall,
            "user": tree.ru_utime,
            "system": tree.ru_stime,
            "peak_memory": tree.ru_maxrss * 1024,
        },
        file,
    )
