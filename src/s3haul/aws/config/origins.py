"""The value of a setting, where it comes from, and where the user can change it (for messages)."""

import os
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigNotFound

from s3haul.aws.config.config_text import profile_of

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
