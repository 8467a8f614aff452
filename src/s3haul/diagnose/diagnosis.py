"""What an entry of the diagnosis table consists of, and the exit code that its id stands for."""

from collections.abc import Mapping
from typing import NamedTuple

YOU, OWNER, BOTH = "you", "data owner", "you or the data owner"
ADMIN, ORGANISATION = "your administrator", "an organisation admin"
SERVICE, NOBODY = "the service", "nobody"


class Diagnosis(NamedTuple):
    """`title` is what happened; `fix` is an instruction to `who`."""

    title: str
    who: str
    fix: str


_OF_THE_SOURCE = frozenset(
    {
        *("S3H-NET-02", "S3H-NET-04", "S3H-NET-05", "S3H-NET-06", "S3H-NET-07", "S3H-NET-08", "S3H-NET-09"),
        *("S3H-S3-01", "S3H-S3-11", "S3H-S3-12", "S3H-S3-15", "S3H-S3-16", "S3H-S3-17", "S3H-S3-18"),
        *("S3H-S3-20", "S3H-S3-21"),
        *("S3H-S3-19", "S3H-KMS-08", "S3H-INT-01", "S3H-INT-03", "S3H-INT-05"),
    }
)


def exit_code(diagnosis: str) -> int:
    """The exit code of a run that this id ended: 2 usage, 5 destination, 6 source, 4 access."""
    if diagnosis in {"S3H-CFG-08", "S3H-USE-01"}:
        return 2
    if diagnosis.startswith("S3H-DST"):
        return 5
    return 6 if diagnosis in _OF_THE_SOURCE else 4


def fill_placeholders(text: str, values: Mapping[str, str]) -> str:
    """`text` with its words in capitals replaced; those without a value stay."""
    for name, value in values.items():
        if value:
            text = text.replace(name, value)
    return text
