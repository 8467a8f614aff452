"""The `s3haul` command: the typer application, and the only place that maps errors to exit codes.

Each command has a small module: it converts flags to options, makes one call, and prints the
result. It returns its exit code or raises; `run` maps the exception. The module is imported only if
its command is called.
"""

import atexit
import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Sequence

import typer

from s3haul import __version__
from s3haul.cli import streams
from s3haul.cli.commands import Commands
from s3haul.cli.errors import error_lines, exit_code_of, machine_limit, resume_line
from s3haul.errors import InterruptedRunError, S3HaulError

BUG = 70

EPILOG = """\b
Examples:
  s3haul demo
  s3haul check s3://BUCKET ./data --profile export
  s3haul cp s3://BUCKET ./data --profile export
  s3haul verify ./data
  s3haul help conventions
"""

app = typer.Typer(
    name="s3haul",
    cls=Commands,
    help="Copy an SSE-KMS bucket of another account to local disk, verified and resumable.",
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:  # noqa: FBT001 - typer calls it with the flag's value
    if value:
        streams.print_line(f"s3haul {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(  # noqa: FBT001 - a flag
        False, "--version", "-V", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Copy an SSE-KMS encrypted bucket of another AWS account to local disk, verified and resumable."""


def main() -> None:
    """The console script."""
    codes = list[int]()
    # Registered first, so it is called last. Without it,
    # Python frees all objects one by one, which takes 20 ms.
    atexit.register(lambda: os._exit(codes[0]) if codes else None)
    streams.prepare()
    codes.append(run(sys.argv[1:]))
    with contextlib.suppress(streams.ReaderGoneError, S3HaulError):  # the exit code says what happened first
        streams.flush()
    sys.exit(codes[0])


def run(argv: Sequence[str]) -> int:
    """Run one command line; returns the exit code."""
    _forget_empty_variables()
    try:
        words = list(argv) or ["--help"]
        result = app(args=words, prog_name="s3haul", standalone_mode=False, obj=tuple(argv))
        streams.flush()
    except typer.TyperException as error:
        from s3haul.cli.usage import usage_error_lines  # noqa: PLC0415 - only needed for a mistake

        streams.print_message("\n".join(usage_error_lines(error, argv)))
        return error.exit_code
    except typer.Abort:
        return 130
    except S3HaulError as error:
        streams.print_message("\n".join(error_lines(error)))
        if isinstance(error, InterruptedRunError):
            streams.print_message(resume_line(argv))
        return exit_code_of(error)
    except streams.ReaderGoneError:
        return 128 + signal.SIGPIPE  # as a shell reports a filter that was ended by SIGPIPE
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # noqa: BLE001 - a bug needs an exit code that no other outcome has
        if (limit := machine_limit(error)) is not None:
            streams.print_message("\n".join(error_lines(limit)))
            return limit.exit_code
        streams.print_message(
            f"{traceback.format_exc()}This is a bug in s3haul. The same command resumes the run."
        )
        return BUG
    return result if isinstance(result, int) else 0


def _forget_empty_variables() -> None:
    """Remove empty AWS_ variables: they count as not set, but botocore uses some of them as a value."""
    for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
        del os.environ[name]
