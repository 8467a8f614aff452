"""Completion as a shell asks for it: the script that s3haul prints, in a real bash."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """\
eval "$(s3haul --show-completion bash)"
read -ra COMP_WORDS <<< "$1"
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_s3haul_completion s3haul
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("s3haul be", {"bench"}),
        ("s3haul bench --max-b", {"--max-bytes"}),
        ("s3haul cp --metrics", {"--metrics-port", "--metrics-address"}),
        ("s3haul cp --profile ex", {"export"}),
        ("s3haul help mea", {"measuring"}),
    ],
)
def test_bash_is_offered_what_fits(machine, line, offered):
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", ASK, "bash", line],
        env=machine.environment | {"PATH": path},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert set(done.stdout.split()) == offered, done.stderr
