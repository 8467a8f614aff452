"""Recognises invalid settings: what botocore refuses before it sends anything is an error of the user's settings.

All code that reads settings or creates a client runs inside `guarded`. So an exception of botocore about them is not
reported as a network error or as a bug.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError

from s3haul.aws.carrier import NoResponse, RedirectRefused
from s3haul.aws.config.validation import UNUSABLE
from s3haul.errors import S3HaulError, UsageError

# What botocore raises about servers, responses and credentials. Anything else is about settings and parameters.
_NOT_ABOUT_SETTINGS = (
    NoResponse,
    RedirectRefused,
    *(boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError),
    *(boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
    *(boto.MetadataRetrievalError, boto.SSOError, boto.TokenRetrievalError, boto.ChecksumError),
)


@contextmanager
def guarded(given: Sequence[str] = ()) -> Iterator[None]:
    """Raise `UsageError` for settings that botocore cannot use. For code that sends nothing.

    `given` are the settings that may be the cause, with their locations."""
    try:
        yield
    except S3HaulError:
        raise
    except (BotoCoreError, ValueError, OSError) as error:
        raise refused_setting(error, given) from error


def is_refused_setting(error: BaseException) -> bool:
    """Whether a call failed because botocore could not build the request."""
    return isinstance(error, BotoCoreError) and not isinstance(error, _NOT_ABOUT_SETTINGS)


def refused_setting(error: BaseException, given: Sequence[str] = ()) -> UsageError:
    """The error to raise. It may quote botocore's message: botocore quotes no setting that may be secret."""
    hint = (
        f"check the source, and these settings: {', '.join(given)}"
        if given
        else "s3haul check shows the settings"
    )
    return UsageError("a setting or a name cannot be used", hint=hint, seen=_first_line(error), id=UNUSABLE)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
