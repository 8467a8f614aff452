"""Commands and flags of aws s3, s5cmd, rclone, gsutil and their like, and what does the same here.

Pure tables: a word that the command line does not know, an answer for the one who typed it.
"""

from typing import NamedTuple

_NO_UPLOAD = "s3haul only downloads"
_RESUMES = "the same s3haul cp command again goes on where it ended"
_PARALLEL = "nothing has to be set: how much goes on at a time is found by trial; --concurrency N caps it"
_EXISTING = "--existing verify|overwrite|skip says what becomes of files that are here already"
_TRUSTS = (
    "s3haul always checks certificates, since keys and data go that way: name your authority by --ca-bundle"
)
_UPLOAD_FLAG = f"{_NO_UPLOAD}: leave it out"
_ALWAYS = "leave it out: that is what s3haul cp always does"
_PROGRESS = "leave it out: progress is shown by itself; -q and --no-progress switch it off"


class Instead(NamedTuple):
    """The first words of the command to type, behind which the rest of the line goes on; and why."""

    words: tuple[str, ...]
    said: str = ""


_CP = Instead(("cp",))
_SYNC = Instead(("cp",), "it fetches only what is new or changed, and deletes nothing")
_LIST = Instead(("cp", "--dryrun"), "it lists and counts, and fetches nothing")

COMMANDS: dict[str, Instead | str] = {
    **dict.fromkeys(("s3", "copy", "get", "download", "clone", "fetch", "haul"), _CP),
    **dict.fromkeys(("sync", "mirror", "rsync"), _SYNC),
    **dict.fromkeys(("ls", "list", "lsf", "tree", "du", "size", "plan"), _LIST),
    **dict.fromkeys(("cat", "pipe"), "s3haul cp s3://BUCKET/KEY - writes one object to standard output"),
    **dict.fromkeys(("resume", "continue", "retry"), _RESUMES),
    **dict.fromkeys(("put", "upload", "mv", "move", "rm", "del", "delete", "purge", "mb", "rb"), _NO_UPLOAD),
    "version": "s3haul --version",
    **dict.fromkeys(("doctor", "whoami", "login", "auth", "test", "ping"), "s3haul check s3://BUCKET"),
    **dict.fromkeys(("config", "init", "setup"), "s3haul configure"),
    **dict.fromkeys(("log", "audit"), "s3haul manifest DEST"),
    **dict.fromkeys(("completion", "autocomplete"), "s3haul --install-completion"),
}

FLAGS = {
    **dict.fromkeys(("--no-verify-ssl", "--no-check-certificate", "--insecure", "-k"), _TRUSTS),
    **dict.fromkeys(("--delete", "--delete-after", "--delete-excluded"), "s3haul never deletes a file"),
    "--no-sign-request": "s3haul cp takes it; there is no chain of access to look at",
    **dict.fromkeys(
        (
            *("--numworkers", "--transfers", "--checkers", "--workers", "--jobs", "-j", "--threads"),
            *("--max-concurrent-requests", "--multi-thread-streams", "-c", "-m"),
        ),
        _PARALLEL,
    ),
    **dict.fromkeys(
        ("--part-size", "-p", "--multipart-chunksize", "--chunk-size", "--buffer-size"),
        "leave it out: the sizes of requests adapt (s3haul help large-objects)",
    ),
    **dict.fromkeys(("--no-clobber", "--ignore-existing", "--skip-existing"), "--existing skip"),
    **dict.fromkeys(("--overwrite", "--ignore-times"), "--existing overwrite"),
    **dict.fromkeys(
        ("--size-only", "--exact-timestamps", "--update", "-u", "--if-size-differ", "--if-source-newer"),
        f"leave it out: files are compared with the stored checksum; {_EXISTING}",
    ),
    **dict.fromkeys(("--resume", "--continue", "--checksum", "--verify", "--check", "--parents"), _ALWAYS),
    **dict.fromkeys(
        ("--retries", "--retry-count", "--low-level-retries", "--max-retries"),
        "leave it out: an outage is waited out for 15 minutes; AWS_MAX_ATTEMPTS bounds the attempts",
    ),
    **dict.fromkeys(("--progress", "-P", "--show-progress", "--stats"), _PROGRESS),
    **dict.fromkeys(("--log-level", "--log", "-vv", "--vv"), "-v says more, --log-format json says all"),
    **dict.fromkeys(("--output", "--format", "--query"), "--json prints the summary as one JSON object"),
    **dict.fromkeys(
        ("--sse-c", "--sse-c-key", "--sse-c-copy-source"), "s3haul cannot read objects under keys of your own"
    ),
    **dict.fromkeys(
        ("--versions", "--s3-versions"),
        "--all-versions takes all, --at TIME those of a moment (s3haul help sources)",
    ),
    "--s3-version-at": "--at TIME",
    "--point-in-time": "--at TIME",
    "--rewind": "--at TIME",
    "--max-age": "--newer-than TIME",
    "--min-age": "--older-than TIME",
    "--filter-include-regex": "--regex PATTERN",
    "--manifest-file": "--files-from FILE (s3haul help sources)",
    **dict.fromkeys(
        (
            *("--acl", "--grants", "--content-type", "--metadata", "--cache-control"),
            *("--website-redirect", "--content-disposition", "--content-encoding", "--content-language"),
            *("--expires", "--metadata-directive", "--copy-props", "--expected-size", "--guess-mime-type"),
            *("--no-guess-mime-type", "--checksum-algorithm", "--tagging"),
        ),
        _UPLOAD_FLAG,
    ),
    **dict.fromkeys(("--filter", "--filter-from"), "--include and --exclude (s3haul help filters)"),
}
