"""The list of objects that a command line names (--files-from, --inventory, --plan): its flags are checked, and standard
input or a pipe is copied to a temporary file first, because a run reads the list while it works.
"""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from s3haul.cli.selection_flags import Encodings, ListFormats
from s3haul.errors import SourceError, UsageError
from s3haul.options import ListForm, ObjectList, SourceOptions

STDIN = "-"


@contextmanager
def opened(
    source: SourceOptions,
    files_from: str | None,
    form: ListFormats,
    encoding: Encodings | None,
    *,
    inventory: str | None = None,
    plan: str | None = None,
) -> Iterator[SourceOptions]:
    """The source with its list, if one is given. Raises `UsageError` and `SourceError`."""
    given = {"--files-from": files_from, "--inventory": inventory, "--plan": plan}
    flags = [flag for flag, value in given.items() if value is not None]
    if len(flags) > 1:
        raise UsageError(f"{' and '.join(flags)} name the objects: give one of them.")
    if files_from is None and (encoding is not None or form is not ListFormats.KEYS):
        raise UsageError("--files-format and --files-encoding need --files-from.")
    for flag in flags:
        _demand_prefix(source, flag)
    if inventory is not None:
        yield replace(source, objects=ObjectList(location=inventory, form=ListForm.INVENTORY))
    elif plan is not None:
        with _as_file(ObjectList(location=plan, form=ListForm.PLAN)) as objects:
            yield replace(source, objects=objects)
    elif files_from is not None:
        with _as_file(_of_files(files_from, form, encoding)) as objects:
            yield replace(source, objects=objects)
    else:
        yield source


def _of_files(files_from: str, form: ListFormats, encoding: Encodings | None) -> ObjectList:
    if encoding is not None and form in {ListFormats.MANIFEST, ListFormats.BATCH_REPORT}:
        raise UsageError(f"--files-encoding goes with keys and csv: a {form} has one form only.")
    encoded = None if encoding is None else encoding is Encodings.URL
    return ObjectList(location=files_from, form=ListForm(form), encoded=encoded)


def _demand_prefix(source: SourceOptions, flag: str) -> None:
    if source.at is not None or source.all_versions:
        raise UsageError(f"{flag} names the objects, and so does --at or --all-versions: give one of them.")
    if not source.recursive:
        raise UsageError(
            f"{flag} names the objects, and the source is one object.",
            hint="give s3://BUCKET, or a prefix that ends in /",
        )


@contextmanager
def _as_file(objects: ObjectList) -> Iterator[ObjectList]:
    """The list as a regular file, which can be read at any time."""
    path = Path(objects.location)
    try:
        given: BinaryIO = sys.stdin.buffer if objects.location == STDIN else path.open("rb")
    except OSError as error:
        raise SourceError(
            f"Cannot read {objects.location}: {error.strerror}.", hint="check the name", id="S3H-S3-23"
        ) from None
    with given:
        if objects.location != STDIN and stat.S_ISREG(os.fstat(given.fileno()).st_mode):
            yield objects
            return
        name = "standard input" if objects.location == STDIN else objects.location
        with tempfile.NamedTemporaryFile(prefix="s3haul-list-") as copy:
            shutil.copyfileobj(given, copy)
            copy.flush()
            yield replace(objects, location=copy.name, name=name)
