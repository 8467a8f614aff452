"""What a shell offers for `--profile`: the profiles of the AWS configuration.

Reads the section lines of the files and nothing else: no SDK, since every TAB waits for it.
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
