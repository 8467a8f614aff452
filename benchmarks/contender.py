"""What a contender is, what it is given to do, and how it is installed. Knows none of them.

Each lives in a virtual environment of its own below .venvs, from the package registry or from a commit.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import Scenario

ENVIRONMENTS = Path(__file__).resolve().parents[1] / ".venvs"
LONGEST_INSTALL = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One copy to do. `programs` is where the contender's executables are, `home` an empty directory."""

    scenario: Scenario
    endpoint: str
    ca: Path
    destination: Path
    home: Path
    programs: Path
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`packages` empty: it is here already. `checks`, `settings` and `source` are shown in the results.

    `source`: who recommends the settings. `ours`: a build of s3haul, whose summary is checked. `slow`: Python
    work on every object makes it need a minute where others need seconds, so it runs the first round only,
    and of scenarios that count objects a part (`scenarios.part`). `only`: the scenarios it is for.
    """

    name: str
    checks: str
    settings: str
    source: str = ""
    command: Callable[[Task], list[str]]
    version: tuple[str, ...]
    packages: tuple[str, ...] = ()
    environment: Callable[[Task], Mapping[str, str]] = field(default=lambda _: {})
    only: tuple[str, ...] = ()
    ours: bool = False
    slow: bool = False


def base_environment(task: Task) -> dict[str, str]:
    """What every contender gets: static keys, a region, the CA, and nothing of the user's own settings."""
    return {
        "PATH": f"{task.programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(task.home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(task.home / "config"),
        "AWS_CA_BUNDLE": str(task.ca),
        "SSL_CERT_FILE": str(task.ca),
    }


def installed(contender: Contender) -> Path:
    """The directory of the contender's programs, which are installed once and kept while they run.

    Raises `RuntimeError` with pip's own words when they cannot be installed.
    """
    if not contender.packages:
        return Path(sys.executable).parent
    home = ENVIRONMENTS / f"bench-{contender.name}"
    stamp, wanted = home / ".installed", "\n".join(contender.packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(home / "bin" / "python"), "-m", "pip", "--quiet", "install", *contender.packages)
        stamp.write_text(wanted)
    return home / "bin"


def version(contender: Contender, programs: Path) -> str:
    """The first two words of its version output; the call also loads its files into the cache."""
    path = f"{programs}:{os.environ.get('PATH', '')}"
    said = subprocess.run(
        contender.version, capture_output=True, text=True, check=True, timeout=60, env={"PATH": path}
    )
    return " ".join(said.stdout.split()[:2])


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_INSTALL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")
