"""What botocore refuses before anything is sent is a setting that it cannot use, and the user's to mend.

Every reading of settings and every making of a client happens inside `guarded`, so that none of botocore's
exceptions about them looks like trouble of the network, or like a bug.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError

from s3haul.aws.carrier import NoResponse, RedirectRefused
from s3haul.aws.config.validation import UNUSABLE
from s3haul.errors import S3HaulError, UsageError

# What botocore raises about servers, answers and credentials; anything else is about settings and parameters.
_OF_THE_WORLD = (
    NoResponse,
    RedirectRefused,
    *(boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError),
    *(boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
    *(boto.MetadataRetrievalError, boto.SSOError, boto.TokenRetrievalError, boto.ChecksumError),
)


@contextmanager
def guarded(given: Sequence[str] = ()) -> Iterator[None]:
    """Raises `UsageError` for what botocore cannot use; for code that sends nothing. `given` are the settings
    that may be at fault, with their places."""
    try:
        yield
    except S3HaulError:
        raise
    except (BotoCoreError, ValueError, OSError) as error:
        raise refused_setting(error, given) from error


def is_refused_setting(error: BaseException) -> bool:
    """Whether a call failed because botocore could not make a request of it."""
    return isinstance(error, BotoCoreError) and not isinstance(error, _OF_THE_WORLD)


def refused_setting(error: BaseException, given: Sequence[str] = ()) -> UsageError:
    """The error for it. What stands in a file may be secret, and botocore quotes no value of that kind."""
    hint = (
        f"the source, or one of these: {', '.join(given)}"
        if given
        else "see what s3haul check shows as settings"
    )
    return UsageError("a setting or a name cannot be used", hint=hint, seen=_first_line(error), id=UNUSABLE)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
