"""Changes the user's AWS configuration file: an edit is planned first, then shown or saved.

`plan_role_profile` plans the profile that `s3haul configure` creates, `plan` any change of one profile. Secrets are
never written and never shown; of a secret value only the length is shown. `save` keeps a copy of the previous version,
keeps mode and owner, and replaces the file atomically.
"""

import configparser
import difflib
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from botocore.session import Session

from s3haul.aws import config_file
from s3haul.aws.chain import CREDENTIAL_SOURCES, check_role
from s3haul.aws.config_file import UNREADABLE, hidden
from s3haul.aws.config_text import Changes, edited, profile_of
from s3haul.errors import DestinationError, ProfileError, UsageError
from s3haul.options import RoleOptions
from s3haul.policies.names import check_region

SUFFIX = ".before-s3haul"
_SOURCES = ("source_profile", "credential_source")

_SECRET = re.compile(r"aws_access_key_id|credential_process|.*(secret|token|password).*")
_ACCESS_KEY = re.compile(r"\b(AKIA|ASIA)[A-Z0-9]{12,}")
_PROFILE = re.compile(r"[^\s\[\]'\"\\#;=]+( [^\s\[\]'\"\\#;=]+)*")
_SHOWN = re.compile(r"(?P<before>[-+]\s*(?P<name>[^=:]*?)\s*[=:]\s*)(?P<value>.*?)\s*")


@dataclass(frozen=True, slots=True)
class Edit:
    """The text of a file before and after. `before` is None if there is no file. Both contain secrets: never print them.

    `warning` is for the user, and does not prevent the edit.
    """

    path: Path
    before: str | None = field(repr=False)
    after: str = field(repr=False)
    warning: str = ""

    @property
    def changes(self) -> bool:
        return self.before != self.after


def plan(path: Path, profile: str, changes: Changes) -> Edit:
    """Plan the change. Raises `UsageError` for an invalid or secret value, `ProfileError` if the file cannot be read
    or edited."""
    _check(profile, changes)
    before = _read(path)
    unsafe = ProfileError(
        f"profile {profile!r} in {path} has a form that cannot be changed safely",
        hint="check the indented lines below its options, or edit the file yourself",
        id=UNREADABLE,
    )
    try:
        after = edited(before or "", profile, changes)
    except ValueError:
        raise unsafe from None
    if not _has_only_changes(before or "", after, profile, changes):
        raise unsafe
    return Edit(path, before, after)


def diff(edit: Edit) -> list[str]:
    """The changed lines as a diff without context lines and without secrets."""
    old, new = (edit.before or "").splitlines(), edit.after.splitlines()
    return [
        _hidden(line)
        for line in difflib.unified_diff(old, new, str(edit.path), str(edit.path), "", "", 0, "")
    ]


def save(edit: Edit) -> Path | None:
    """Write the file. Returns the path of the copy of the previous version.

    Raises `DestinationError`, and `ProfileError` if the file changed since the edit was planned. If the path is a
    symbolic link, its target is replaced.
    """
    target = Path(os.path.realpath(edit.path))
    try:
        if edit.before is None:
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            _replace(target, edit.after, None)
            return None
        if _read(edit.path) != edit.before:
            raise ProfileError(
                f"{edit.path} was changed by another program meanwhile",
                hint="run the same command again",
                id=UNREADABLE,
            )
        status = target.stat()
        kept = target.with_name(target.name + SUFFIX)
        _replace(kept, edit.before, status)
        _replace(target, edit.after, status)
    except OSError as error:
        raise DestinationError(f"{edit.path} cannot be written", seen=str(error)) from error
    return kept


def is_secret(name: str) -> bool:
    """Whether s3haul never writes the value of this option."""
    return _SECRET.fullmatch(name.lower()) is not None


def _check(profile: str, changes: Changes) -> None:
    if not _PROFILE.fullmatch(profile):
        raise UsageError(f"{profile!r} cannot be the name of a profile.")
    for name, value in changes.items():
        if is_secret(name) or _ACCESS_KEY.search(value or ""):
            raise UsageError(
                f"{name} is or contains a secret, and s3haul never writes secrets.",
                hint="keep access keys in the credentials file, or better log in with SSO; then use that profile here",
            )
        if value is not None and (not value.isprintable() or not value or value != value.strip()):
            raise UsageError(f"The value of {name} is not allowed in a configuration file.")


def _read(path: Path) -> str | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise ProfileError(f"{path} is not a regular file", id=UNREADABLE)
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ProfileError(f"{path} is not UTF-8 text", id=UNREADABLE) from None
    except OSError as error:
        raise ProfileError(f"{path} cannot be read", seen=str(error), id=UNREADABLE) from error


def _has_only_changes(before: str, after: str, profile: str, changes: Changes) -> bool:
    """A second check, with another parser: whether `after` has the changes, and everything else is unchanged."""
    old, new = _parsed(before), _parsed(after)
    mine = [section for section in new if profile_of(section) == profile][-1:]
    if not mine:
        return False
    now, was = new.pop(mine[0]), old.pop(mine[0], {})
    for name, value in changes.items():
        outer, _, inner = name.partition(".")
        new_value, old_value = now.pop(outer, None), was.pop(outer, None)
        if inner:
            nested, nested_before = _nested(new_value), _nested(old_value)
            if nested != nested_before | {inner: value} or None in nested.values():
                return False
        elif new_value != value:
            return False
    return now == was and old == new


def _nested(value: str | None) -> dict[str, str | None]:
    """The nested options in a value. The value None stands for a line that is not an option, which botocore refuses."""
    pairs = (line.partition("=") for line in (value or "").splitlines() if line.strip())
    return {name.strip(): inner.strip() if equals else None for name, equals, inner in pairs}


def _parsed(text: str) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(re.sub(r"\r\n?", "\n", text))
    except configparser.Error:
        raise ProfileError("the AWS configuration file cannot be parsed", id=UNREADABLE) from None
    return {section: dict(parser.items(section)) for section in parser.sections()}


def _hidden(line: str) -> str:
    words = _SHOWN.fullmatch(line)
    if words is None or line.startswith(("---", "+++")):
        return line
    if is_secret(words["name"]) or words["name"].lower() == "external_id":
        return words["before"] + hidden(words["value"])
    return line


def _replace(target: Path, text: str, like: os.stat_result | None) -> None:
    """Replace a file atomically and durably. A new file has mode 0600."""
    # The temporary file is in the same directory, as rename needs. fsync before the rename: otherwise the name could be
    # durable before the content, and a crash would leave an empty file.
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
            if like is not None:
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
                if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
                    with suppress(PermissionError):
                        os.fchown(descriptor, like.st_uid, like.st_gid)
            stream.flush()
            os.fsync(descriptor)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink()
        raise
    directory = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def plan_role_profile(profile: str, given: Mapping[str, str]) -> Edit:
    """The edit that sets these options of the profile and keeps its other options.

    Raises `UsageError` for contradicting options, `ProfileError` for a file that cannot be used.
    """
    files = config_file.read(Session())
    current = files.profiles.get(profile, {})
    _check_role_profile(profile, given, current)
    changes: dict[str, str | None] = dict(given)
    for one, other in (_SOURCES, _SOURCES[::-1]):
        if one in given:
            changes[other] = None  # botocore refuses a profile that has both
    changes["s3.signature_version"] = "s3v4"
    path = Path(os.path.expandvars(files.paths[0]))  # as botocore reads it
    edit = plan(path, profile, changes)
    source = given.get("source_profile")
    if source in (None, "default", *files.profiles):
        return edit
    warning = f"the source profile {source!r} does not exist yet; it must contain your own credentials"
    return replace(edit, warning=warning)


def _check_role_profile(profile: str, given: Mapping[str, str], current: Mapping[str, object]) -> None:
    if all(source in given for source in _SOURCES):
        raise UsageError("--source-profile and --credential-source exclude each other.")
    if "role_arn" not in {**current, **given}:
        raise UsageError("--role-arn is required, because the profile has no role yet.")
    if not {*_SOURCES} & {**current, **given}.keys():
        raise UsageError(
            "The credentials that assume the role are not given.",
            hint="give --source-profile, or --credential-source on AWS machines",
        )
    if given.get("source_profile") == profile and "aws_access_key_id" not in current:
        raise UsageError(f"Profile {profile!r} cannot be its own source, because it has no credentials.")
    if given.get("credential_source", CREDENTIAL_SOURCES[0]) not in CREDENTIAL_SOURCES:
        raise UsageError(f"--credential-source takes {', '.join(CREDENTIAL_SOURCES)}.")
    if "region" in given:
        check_region(given["region"])
    check_role(
        RoleOptions(
            role_arn=given.get("role_arn", str(current.get("role_arn"))),
            external_id=given.get("external_id"),
            session_name=given.get("role_session_name"),
            duration_seconds=int(given.get("duration_seconds", "3600")),
            mfa_serial=given.get("mfa_serial"),
        )
    )
