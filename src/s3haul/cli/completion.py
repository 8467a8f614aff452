"""Shell completion of values: profiles of the AWS configuration, help topics.

It reads only the section headers of the files. The SDK is not imported, because the user waits after every TAB.
"""

import os
import re
from pathlib import Path

_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_SECTION = re.compile(r"^\[\s*(?:profile\s+)?[\"']?([^\]\"'\s]+)[\"']?\s*\]", re.MULTILINE)


def profiles(incomplete: str) -> list[str]:
    """The profiles that begin with `incomplete`."""
    found = set()
    for variable, usual in _FILES:
        try:
            text = Path(os.environ.get(variable) or usual).expanduser().read_text("utf-8", "replace")
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            continue
        found |= set(_SECTION.findall(text))
    return sorted(name for name in found if name.startswith(incomplete))


def topics(incomplete: str) -> list[str]:
    """Topics, commands and ids that begin with `incomplete`."""
    from s3haul.cli.commands import COMMANDS  # noqa: PLC0415 - only needed for completion
    from s3haul.cli.help_topics import TOPICS  # noqa: PLC0415 - same
    from s3haul.diagnose.table import DIAGNOSES  # noqa: PLC0415 - same

    return sorted(name for name in {*TOPICS, *COMMANDS, *DIAGNOSES} if name.startswith(incomplete))
