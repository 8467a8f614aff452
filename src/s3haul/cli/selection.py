"""The flags that select objects, as options: patterns in their order, sizes, ages, classes, regular
expressions, versions, and lists of objects (--files-from, --inventory, --plan).

Also warns about a selection that is valid but probably a mistake.
"""

import os
import re
import shlex
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from s3haul.cli.flags import Encodings, FilterFlags, ListFormats, SelectionFlags
from s3haul.core.filters import Filters, mistake_in
from s3haul.errors import SourceError, UsageError
from s3haul.events import Warned
from s3haul.options import (
    Conditions,
    DestinationOptions,
    ListForm,
    ObjectList,
    SourceOptions,
    TransferOptions,
)

Number = TypeVar("Number", int, float)
STDIN = "-"
LARGEST_FILE = 16 << 20  # bytes of patterns
_INCLUDES = frozenset({"--include", "--include-from"})
# The order of those that come from variables: first what is excluded.
_ORDER = ("--exclude", "--exclude-from", "--include", "--include-from")
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)\s*([kmgtp]?)(?:i?b)?", re.ASCII | re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_SPAN = re.compile(r"(?:\d{1,9}(?:\.\d{1,6})?[smhdw])+", re.ASCII)
_PIECE = re.compile(r"([\d.]+)([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def filters_in_order(argv: Sequence[str], patterns: FilterFlags) -> Filters:
    """The patterns in the order of the command line, which the parsed lists do not have.

    Patterns of a variable (used if the flag is not given) come first.
    Raises `UsageError` for an unreadable file.
    """
    given = {flag: getattr(patterns, flag[2:].replace("-", "_")) or () for flag in _ORDER}
    found: list[tuple[str, str]] = []
    words = iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if word == "--":
            break
        if flag in given:
            found.append((flag, value if equals else next(words, "")))
    typed = {flag for flag, _ in found}
    variables = [(flag, value) for flag in _ORDER if flag not in typed for value in given[flag]]
    return tuple(
        (flag in _INCLUDES, pattern)
        for flag, value in (*variables, *found)
        for pattern in (_lines(flag, value) if flag.endswith("-from") else (value,))
    )


def _lines(flag: str, name: str) -> Iterator[str]:
    """The patterns in a file, one per line, without empty lines and those that begin with #."""
    try:
        with Path(name).open("rb") as file:
            data = file.read(LARGEST_FILE + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"{flag}: cannot read {name}: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UsageError(f"{flag}: {name} is no UTF-8 text.") from None
    if len(data) > LARGEST_FILE:
        raise UsageError(f"{flag}: {name} has more than {LARGEST_FILE:,} bytes.")
    for line in text.split("\n"):
        pattern = line.removesuffix("\r")
        if pattern and not pattern.startswith("#"):
            yield pattern


def conditions(flags: FilterFlags, now: float) -> Conditions:
    """Sizes, ages, classes and regular expressions. Raises `UsageError` also if no object can match."""
    moment = partial(parse_moment, now=now)
    found = Conditions(
        min_size=if_given(parse_size, "--min-size", flags.min_size),
        max_size=if_given(parse_size, "--max-size", flags.max_size),
        newer_than=if_given(moment, "--newer-than", flags.newer_than),
        older_than=if_given(moment, "--older-than", flags.older_than),
        storage_classes=frozenset(map(_storage_class, flags.storage_class or ())),
        regex=tuple(map(_regex, flags.regex or ())),
    )
    if found.min_size is not None and found.max_size is not None and found.min_size > found.max_size:
        raise UsageError("No object is larger than --min-size and smaller than --max-size.")
    if found.newer_than is not None and found.older_than is not None and found.newer_than >= found.older_than:
        raise UsageError(
            "No object is newer than --newer-than and older than --older-than.",
            hint="--newer-than 30d --older-than 7d are those that changed 30 to 7 days ago",
        )
    return found


def with_versions(source: SourceOptions, flags: SelectionFlags, now: float) -> SourceOptions:
    """The source with the versions to take, if not the current ones. Raises `UsageError`."""
    if flags.version_id is not None and source.recursive:
        raise UsageError(
            "--version-id needs one object as source.", hint="--at TIME selects the versions of a time"
        )
    if flags.version_id == "":
        raise UsageError("--version-id is empty.")
    if flags.at is not None and not source.recursive:
        raise UsageError(
            "--at needs a bucket or a prefix.", hint="for one object, name its version: --version-id"
        )
    if flags.all_versions and (flags.at is not None or not source.recursive):
        raise UsageError("--all-versions needs a bucket or a prefix, and cannot be used with --at.")
    at = if_given(partial(parse_moment, now=now), "--at", flags.at)
    if at is not None and at > now:
        raise UsageError(f"--at {flags.at!r} is in the future.")
    return replace(source, version_id=flags.version_id, at=at, all_versions=flags.all_versions)


def is_reconciled(source: SourceOptions, flags: SelectionFlags) -> bool:
    """Whether the bucket is listed again at the end. Raises `UsageError` if there is nothing
    to compare that with."""
    a_list = flags.files_from is not None or flags.plan is not None
    other_versions = source.at is not None or source.all_versions
    if flags.reconcile and (a_list or other_versions or not source.recursive):
        raise UsageError(
            "--reconcile compares two listings of the bucket: it cannot be used with --files-from or --plan, with one"
            " object, with --at or with --all-versions."
        )
    return flags.reconcile


def is_narrowed(transfer: TransferOptions) -> bool:
    """Whether there is any filter or condition."""
    return bool(transfer.filters) or transfer.conditions != Conditions()


def source_warnings(source: SourceOptions, filters: Filters, where: DestinationOptions) -> Iterator[Warned]:
    """Warn about filters that exclude nothing, and about a key that looks like a pattern. The run continues;
    it warns later about filters that exclude everything."""
    if all(include for include, _ in filters) and (warning := mistake_in(filters)):
        yield Warned(warning)
    key = source.prefix.removesuffix("/") if source.recursive else source.prefix
    if "*" in key or "?" in key:
        above = key[: min(key.find(mark) for mark in "*?" if mark in key)].rpartition("/")[0]
        pattern = key[len(above) :].removeprefix("/")
        base = f"s3://{source.bucket}/{above}{'/' if above else ''}"
        words = ["s3haul", "cp", base, str(where.root / (where.name or ""))]
        if pattern != "*":
            words += ["--exclude", "*", "--include", pattern]
        yield Warned(f"* and ? in the source are part of the key: for a pattern, write {shlex.join(words)}")


@contextmanager
def opened_list(source: SourceOptions, flags: SelectionFlags) -> Iterator[SourceOptions]:
    """The source with the list of objects that the flags name, if there is one.
    Raises `UsageError` and `SourceError`."""
    given = {"--files-from": flags.files_from, "--inventory": flags.inventory, "--plan": flags.plan}
    names = [flag for flag, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(f"{' and '.join(names)} name the objects: give one of them.")
    if flags.files_from is None and (
        flags.files_encoding is not None or flags.files_format is not ListFormats.KEYS
    ):
        raise UsageError("--files-format and --files-encoding need --files-from.")
    for flag in names:
        _demand_prefix(source, flag)
    if flags.inventory is not None:
        yield replace(source, objects=ObjectList(location=flags.inventory, form=ListForm.INVENTORY))
    elif flags.plan is not None:
        with _as_file(ObjectList(location=flags.plan, form=ListForm.PLAN)) as objects:
            yield replace(source, objects=objects)
    elif flags.files_from is not None:
        with _as_file(_of_files(flags.files_from, flags.files_format, flags.files_encoding)) as objects:
            yield replace(source, objects=objects)
    else:
        yield source


def _of_files(files_from: str, form: ListFormats, encoding: Encodings | None) -> ObjectList:
    if encoding is not None and form in {ListFormats.MANIFEST, ListFormats.BATCH_REPORT}:
        raise UsageError(f"--files-encoding is only for keys and csv: a {form} has a fixed encoding.")
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
    """The list as a regular file: a run reads it while it works,
    but standard input or a pipe can be read only once."""
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
        import tempfile  # noqa: PLC0415 - only imported if it is needed

        with tempfile.NamedTemporaryFile(prefix="s3haul-list-") as copy:
            shutil.copyfileobj(given, copy)
            copy.flush()
            yield replace(objects, location=copy.name, name=name)


def if_given(parse: Callable[[str, str], Number], flag: str, text: str | None) -> Number | None:
    """`parse(flag, text)`; None without a text."""
    return None if text is None else parse(flag, text)


def parse_size(flag: str, text: str, *, least: int = 0) -> int:
    """Bytes: "0", "10MB", "1.5GiB", "500K"; a K is 1,024. Raises `UsageError`."""
    match = _SIZE.fullmatch(text.strip())
    size = -1 if match is None else int(float(match[1]) * 1024 ** _POWERS[match[2].lower()])
    if size < least:
        raise UsageError(f"{flag} {text!r} is not a size.", hint="write 500K, 10MB or 1.5G; a K is 1,024")
    return size


def parse_span(flag: str, text: str) -> float:
    """Seconds, more than 0: "90s", "30m", "36h", "7d", "2w", "1h30m". Raises `UsageError`."""
    seconds = _seconds(text)
    if not seconds:
        raise UsageError(f"{flag} {text!r} is not a duration.", hint="write 90s, 30m, 8h or 2d")
    return seconds


def parse_moment(flag: str, text: str, *, now: float) -> float:
    """Epoch seconds: a span before `now`, or a date or time in ISO 8601, of UTC unless it names another zone.

    Raises `UsageError`.
    """
    span = _seconds(text)
    if span is not None:
        return now - span
    try:
        moment = datetime.fromisoformat(text.strip())
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{flag} {text!r} is not a time.",
            hint="write 36h, 7d or 2w (before now), or 2026-01-31 or 2026-01-31T12:00:00Z (UTC)",
        ) from None


def _seconds(text: str) -> float | None:
    text = text.strip().lower()
    if not _SPAN.fullmatch(text):
        return None
    return sum(float(number) * _SECONDS[unit] for number, unit in _PIECE.findall(text))


def _storage_class(text: str) -> str:
    name = text.upper()
    if not re.fullmatch(r"[A-Z][A-Z0-9_]*", name, re.ASCII):
        raise UsageError(
            f"--storage-class {text!r} is not a storage class.",
            hint="write one of STANDARD, STANDARD_IA, INTELLIGENT_TIERING, GLACIER_IR, GLACIER, DEEP_ARCHIVE",
        )
    return name


def _regex(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise UsageError(f"--regex {text!r} is not a regular expression: {error}.") from None
    return text
