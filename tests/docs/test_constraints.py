"""The constraints files are those of pyproject.toml."""

import re

import pytest

import constraints

PYPROJECT = (constraints.ROOT / "pyproject.toml").read_text()


def pins(text: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)$", text, re.MULTILINE))


def test_the_oldest_versions_are_the_lower_bounds():
    """Where this fails because a bound was changed on purpose: make constraints."""
    assert constraints.OLDEST.read_text() == constraints.oldest(PYPROJECT)


def test_what_was_tested_is_pinned_for_every_dependency_direct_or_not():
    tested = pins(constraints.TESTED.read_text())
    assert pins(constraints.OLDEST.read_text()).keys() <= tested.keys()
    assert {"botocore", "aiobotocore", "cryptography"} <= tested.keys()


@pytest.mark.parametrize("name", pins(constraints.oldest(PYPROJECT)))
def test_what_was_tested_is_no_older_than_the_oldest(name):
    oldest, tested = (pins(path.read_text())[name] for path in (constraints.OLDEST, constraints.TESTED))
    assert [int(part) for part in re.findall(r"\d+", tested)] >= [
        int(part) for part in re.findall(r"\d+", oldest)
    ]
