"""The two constraints files: `make constraints`.

constraints/oldest.txt   the lower bounds of pyproject.toml, for a test that they are true
constraints/tested.txt   every package that s3haul needs, as installed here, for `pip install -c`
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
OLDEST = ROOT / "constraints" / "oldest.txt"
TESTED = ROOT / "constraints" / "tested.txt"
EXTRAS = ("", "demo", "metrics", "parquet", "inventory")  # Ray has versions for few Pythons: not here
HEADS = {
    OLDEST: "# The oldest dependencies that pyproject.toml allows. Made by `make constraints`.\n",
    TESTED: "# What this revision was tested with: pip install -c constraints/tested.txt . Made by `make constraints`.\n",
}


def oldest(pyproject: str) -> str:
    """Each lower bound as an exact version."""
    project = tomllib.loads(pyproject)["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    direct = chain.from_iterable(groups[extra] for extra in EXTRAS)
    pins = {f"{each.name}=={_lower_bound(each)}" for each in map(Requirement, direct)}
    return HEADS[OLDEST] + "".join(f"{pin}\n" for pin in sorted(pins))


def tested() -> str:
    """All that s3haul and its extras need, directly or not, in the versions that are installed."""
    names = sorted(set(_needed("s3haul", set())) - {"s3haul"})
    return HEADS[TESTED] + "".join(f"{name}=={version(name)}\n" for name in names)


def _lower_bound(requirement: Requirement) -> str:
    (bound,) = (each.version for each in requirement.specifier if each.operator == ">=")
    return bound


def _needed(name: str, seen: set[str]) -> Iterator[str]:
    """The installed packages that `name` leads to, itself included."""
    name = canonicalize_name(name)
    if name in seen:
        return
    seen.add(name)
    try:
        requirements = requires(name) or []
    except PackageNotFoundError:
        return
    yield name
    for text in requirements:
        requirement = Requirement(text)
        extras = EXTRAS if name == "s3haul" else ("", *requirement.extras)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": each}) for each in extras):
            yield from _needed(re.sub(r"\[.*", "", requirement.name), seen)


def main() -> int:
    OLDEST.parent.mkdir(exist_ok=True)
    OLDEST.write_text(oldest((ROOT / "pyproject.toml").read_text()))
    TESTED.write_text(tested())
    sys.stdout.write(f"{OLDEST}\n{TESTED}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
