"""Puts a server from PyPI into a virtual environment of its own, once, below the project's `.venvs`.

Its dependencies never meet ours (ministack pins another botocore). A stamp names what is installed, so a
new pin or another Python makes the environment anew; a lock keeps parallel runs apart.
"""

import fcntl
import platform
import shutil
import subprocess
import sys
from pathlib import Path

ENVIRONMENTS = Path(__file__).resolve().parents[2] / ".venvs"
LONGEST_INSTALL = 900.0


def installed(name: str, requirement: str) -> Path:
    """The `bin` directory of the environment `name`, which holds exactly `requirement`:
    one or several, apart by spaces.

    Raises `RuntimeError` with pip's own words when it cannot be installed.
    """
    home = ENVIRONMENTS / name
    stamp = home / ".installed"
    wanted = f"{requirement} on Python {platform.python_version()}\n"
    ENVIRONMENTS.mkdir(exist_ok=True)
    with (ENVIRONMENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(home, ignore_errors=True)
            _run(sys.executable, "-m", "venv", str(home))
            _run(str(home / "bin" / "python"), "-m", "pip", "--quiet", "install", *requirement.split())
            stamp.write_text(wanted)
    return home / "bin"


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=LONGEST_INSTALL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
