"""What a shell offers for a value: the profiles of the AWS configuration, the topics of the help.

It reads the section lines of the files and nothing else: no SDK, since every TAB waits for it.
"""

import os
import re
from pathlib import Path

_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
_SECTION = re.compile(r"^\[\s*(?:profile\s+)?[\"']?([^\]\"'\s]+)[\"']?\s*\]", re.MULTILINE)


def profiles(incomplete: str) -> list[str]:
    """The profiles that begin so."""
    found = set()
    for variable, usual in _FILES:
        try:
            text = Path(os.environ.get(variable) or usual).expanduser().read_text("utf-8", "replace")
        except (OSError, RuntimeError):  # RuntimeError: there is no home directory
            continue
        found |= set(_SECTION.findall(text))
    return sorted(name for name in found if name.startswith(incomplete))


def topics(incomplete: str) -> list[str]:
    """What `s3haul help` can be asked for."""
    from s3haul.cli.commands import COMMANDS  # noqa: PLC0415 - only who presses TAB pays
    from s3haul.cli.help_topics import SCHEMA_TOPICS, TOPICS  # noqa: PLC0415 - same
    from s3haul.diagnose.table import DIAGNOSES  # noqa: PLC0415 - same

    return sorted(
        name for name in {*TOPICS, *SCHEMA_TOPICS, *COMMANDS, *DIAGNOSES} if name.startswith(incomplete)
    )
