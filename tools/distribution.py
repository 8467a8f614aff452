"""Wheel and sdist of the commit that is checked out, built twice and compared: `make dist`.

The two builds differ in directory, umask, time zone and locale; what they make must not. The time in them is
that of the commit (SOURCE_DATE_EPOCH). What is not committed is not built.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
SURROUNDINGS = (
    (0o022, {"TZ": "UTC", "LC_ALL": "C.UTF-8"}),
    (0o077, {"TZ": "Pacific/Auckland", "LC_ALL": "C"}),
)


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        builds = [
            _build(Path(name) / str(number) / "s3haul", umask, variables)
            for number, (umask, variables) in enumerate(SURROUNDINGS)
        ]
        first, second = ({path.name: _digest(path) for path in build.iterdir()} for build in builds)
        if first != second:
            sys.stderr.write(f"the two builds differ:\n  {first}\n  {second}\n")
            return 1
        shutil.rmtree(DIST, ignore_errors=True)
        shutil.copytree(builds[0], DIST)
    sums = "".join(f"{digest}  {name}\n" for name, digest in sorted(first.items()))
    (DIST / "SHA256SUMS").write_text(sums)
    sys.stdout.write(sums)
    return 0


def _build(tree: Path, umask: int, variables: dict[str, str]) -> Path:
    """Wheel and sdist of a clone at `tree`, in the directory returned."""
    tree.parent.mkdir()
    _run(["git", "clone", "--quiet", str(ROOT), str(tree)], umask, variables)
    epoch = subprocess.check_output(["git", "log", "-1", "--format=%ct"], cwd=tree, text=True).strip()
    out = tree.parent / "dist"
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(tree)]
    _run(command, umask, variables | {"SOURCE_DATE_EPOCH": epoch})
    return out


def _run(command: list[str], umask: int, variables: dict[str, str]) -> None:
    subprocess.run(
        command, env={**os.environ, **variables}, umask=umask, stdout=subprocess.DEVNULL, check=True
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
