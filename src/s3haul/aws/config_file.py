"""Reads the AWS configuration files with botocore's loader; looks up profiles, values, and where a value is set.

Messages say what is wrong with a file, but never quote its lines, which may contain secrets. `settings` decides about
roles and precedence.
"""

import codecs
import configparser
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from botocore.configloader import raw_config_parse
from botocore.configprovider import ConfiguredEndpointProvider
from botocore.exceptions import BotoCoreError, ConfigNotFound, ConfigParseError, InvalidConfigError
from botocore.session import Session

from s3haul.aws.config_text import profile_of
from s3haul.errors import ProfileError

UNREADABLE = "S3H-CFG-07"
_SIGV4 = frozenset({"s3v4", "v4"})
_PARSE_HINT = "every line must be [section], key = value, or an indented key = value below a key"
_MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16", codecs.BOM_UTF8: "UTF-8 with a BOM"}
VARIABLES = {
    "profile": ("AWS_DEFAULT_PROFILE", "AWS_PROFILE"),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint_url": ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"),
    "sts_endpoint_url": ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"),
    "ca_bundle": ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
}


class Origin(StrEnum):
    """Where a setting comes from."""

    FLAG = "flag"
    ENVIRONMENT = "environment"
    PROFILE = "profile"
    DEFAULT = "default"


class Setting(NamedTuple):
    """One effective value. None means that the default of AWS applies."""

    value: str | None
    origin: Origin


class Place(NamedTuple):
    """Where the settings of one profile may be: `paths` are the config file and the credentials file."""

    paths: tuple[str, str]
    profile: str
    environ: Mapping[str, str] = os.environ

    def of(self, key: str, origin: Origin) -> str:
        """The flag, the variable, or "FILE [section]" that contains the setting; "" for a default."""
        match origin:
            case Origin.FLAG:
                return "--" + key.replace("_", "-")
            case Origin.ENVIRONMENT:
                return next((name for name in VARIABLES[key] if self.environ.get(name)), "")
            case Origin.PROFILE:
                return self.section(key) or self.paths[0]
            case Origin.DEFAULT:
                return ""

    def section(self, key: str) -> str:
        return section_of(self.paths, self.profile, key)


def section_of(paths: tuple[str, str], profile: str, key: str) -> str:
    """ "FILE [section]" of a profile's setting. The credentials file has precedence, as in botocore."""
    config, credentials = paths
    for path, named in ((credentials, lambda section: section), (config, profile_of)):
        try:
            sections = raw_config_parse(path)
        except ConfigNotFound:
            continue
        for section, values in sections.items():
            if named(section) == profile and key in values:
                return f"{path} [{section}]"
    return ""


def _sections(path: str) -> list[str]:
    """The sections of a file as they are written."""
    with suppress(BotoCoreError, OSError):
        return list(raw_config_parse(path))
    return []


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The merged files. `profiles` contains secrets: never print it. `paths` are the files that were read."""

    profiles: dict[str, dict[str, Any]]
    everything: dict[str, Any]
    paths: tuple[str, str]

    def __repr__(self) -> str:
        return f"ConfigFile(profiles={sorted(self.profiles)}, paths={self.paths})"

    def profile(self, name: str) -> dict[str, Any]:
        """The settings of one profile. Raises `ProfileError` S3H-CFG-01 if it does not exist."""
        if name not in self.profiles:
            raise ProfileError(
                f"the AWS profile {name!r} does not exist", hint=self._hint(name), id="S3H-CFG-01"
            )
        return self.profiles[name]

    def _hint(self, name: str) -> str:
        config, credentials = self.paths
        quoted = f'"{name}"' if " " in name else name
        for path, correct in ((config, f"profile {quoted}"), (credentials, name)):
            for section in _sections(path):
                first, _, rest = section.strip().partition(" ")
                if name in {section.strip(), rest.strip() if first.lower() == "profile" else ""}:
                    return f"in {path} rename the section [{section}] to [{correct}]"
        known = ", ".join(sorted(self.profiles)) or "none"
        files = [path if Path(path).exists() else f"{path} (which does not exist)" for path in self.paths]
        return f"profiles that exist in {' and '.join(files)}: {known}"


def hidden(value: str) -> str:
    """The text that is shown in place of a secret value."""
    return f"({len(value)} characters)"


def refuse_directory(path: str, variable: str) -> None:
    """Raise `ProfileError` for a directory, which botocore silently ignores."""
    if os.path.isdir(path):  # noqa: PTH112 - botocore's paths are text
        raise ProfileError(f"{path} is a directory", hint=f"{variable} names a file", id=UNREADABLE)


def read(session: Session) -> ConfigFile:
    """Both files, as botocore merges them. Raises `ProfileError` for a file that cannot be parsed."""
    paths = (
        os.path.expanduser(session.get_config_variable("config_file")),  # noqa: PTH111 - botocore's own way
        os.path.expanduser(session.get_config_variable("credentials_file")),  # noqa: PTH111
    )
    for path, variable in zip(paths, ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), strict=True):
        refuse_directory(path, variable)
    try:
        everything = nest_s3_section(session).full_config
    except ConfigParseError as error:
        # "from None": the original error quotes the line, which may be a secret.
        path = str(error.kwargs.get("path"))
        hint = _encoding_hint(path, error.kwargs.get("error"))
        where = "" if hint else _where(error.kwargs.get("error"))
        raise ProfileError(
            f"{path} cannot be parsed{where}", hint=hint or _PARSE_HINT, id=UNREADABLE
        ) from None
    except OSError as error:
        raise ProfileError(
            f"{error.filename} cannot be read",
            hint="check its permissions",
            seen=error.strerror,
            id=UNREADABLE,
        ) from None
    return ConfigFile(everything["profiles"], everything, paths)


def endpoint(files: ConfigFile, profile: dict[str, Any], service: str) -> tuple[str | None, bool]:
    """The configured endpoint of "s3" or "sts", and whether it comes from the environment."""
    environment = ConfiguredEndpointProvider({}, {}, service).provide()
    if environment:
        return str(environment), True
    named = profile.get("services")
    section = files.everything.get("services", {}).get(named, {})
    if not isinstance(section.get(service, {}), dict):
        raise ProfileError(
            f"{service} in the section [services {named}] has no settings below it",
            hint="write endpoint_url = https://… on a line of its own below it, indented",
            id=UNREADABLE,
        )
    try:
        found = ConfiguredEndpointProvider(files.everything, profile, service, environ={}).provide()
    except InvalidConfigError as error:
        raise ProfileError(str(error)) from None
    return found, False


def check_signature(name: str, profile: dict[str, Any]) -> None:
    """Raise `ProfileError` for a signature version other than 4.

    `signature_version = s3v4` is accepted in all forms that users write: nested below `s3 =`, on the same line as
    `s3 =`, as `s3.signature_version`, and without indentation below an empty `s3 =`.
    """
    section = profile.get("s3")
    found = [profile.get("s3.signature_version"), profile.get("signature_version")]
    if isinstance(section, dict):
        found.append(section.get("signature_version"))
    elif isinstance(section, str) and section.partition("=")[0].strip() == "signature_version":
        found.append(section.partition("=")[2])
    for version in found:
        if version is not None and version.strip().lower() not in _SIGV4:
            raise ProfileError(
                f"profile {name!r} sets signature_version = {version.strip()}, "
                "but objects encrypted with KMS can only be read with Signature Version 4",
                hint="set it to s3v4 or remove the line",
                id="S3H-NET-03",
            )


def nest_s3_section(session: Session) -> Session:
    """Convert `s3 = signature_version = s3v4` on one line to a nested section, which botocore needs."""
    for profile in session.full_config["profiles"].values():
        value = profile.get("s3")
        if isinstance(value, str):
            name, equals, nested = value.partition("=")
            if equals or not value.strip():
                profile["s3"] = {name.strip(): nested.strip()} if equals else {}
    return session


def _encoding_hint(path: str, error: object) -> str:
    """A hint how to save the file, if its encoding is the problem; else ""."""
    with suppress(OSError), open(path, "rb") as file:  # noqa: PTH123 - as botocore opens it
        head = file.read(4)
        for mark, name in _MARKS.items():
            if head.startswith(mark):
                return (
                    f"it is stored as {name} (it begins with a byte order mark, BOM): save it as plain UTF-8"
                )
    if isinstance(error, UnicodeDecodeError):
        return f"byte {error.start + 1} is not valid {error.encoding.upper()}: save the file as UTF-8"
    return ""


def _where(error: object) -> str:
    if isinstance(error, configparser.MissingSectionHeaderError):
        return f" (line {error.lineno} is before the first [section])"
    if isinstance(error, configparser.ParsingError):
        lines = ", ".join(str(number) for number, _ in error.errors)
        return f" (line {lines})" if lines else ""
    if isinstance(error, configparser.DuplicateSectionError | configparser.DuplicateOptionError):
        return f" (line {error.lineno}: a duplicate in [{error.section}])"
    return ""
