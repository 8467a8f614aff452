"""Maps exceptions of botocore and of the operating system to `errors.Fault`, and those about settings to `UsageError`.

The only module that classifies botocore's exceptions; `s3.faults` has what needs no SDK. Retries are decided in
`core.retry`. The mapping uses types, codes and errno, never substrings of messages.
"""

import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from botocore import exceptions as boto
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from s3haul.aws.config.validation import UNUSABLE
from s3haul.aws.http_client import NoResponse, RedirectRefused, TransientNoResponse
from s3haul.errors import Fault, FaultKind, S3HaulError, UsageError
from s3haul.s3.faults import (
    CUT,
    causes,
    kind_of_causes,
    out_of_descriptors,
    own_fault,
    redirect_fault,
    service_fault,
)

# What an SDK call may raise for external reasons. ValueError: a field of the response cannot be parsed.
BOTO_ERRORS = (
    BotoCoreError,
    ClientError,
    ResponseParserError,
    OSError,
    ValueError,
    S3HaulError,
)

_KINDS: tuple[tuple[tuple[type[BaseException], ...], FaultKind], ...] = (
    (
        (
            boto.NoCredentialsError,
            boto.PartialCredentialsError,
            boto.CredentialRetrievalError,
            boto.MetadataRetrievalError,
            boto.SSOError,
            boto.TokenRetrievalError,
        ),
        FaultKind.CREDENTIALS,
    ),
    (
        (boto.ConnectTimeoutError, boto.ProxyConnectionError, boto.EndpointConnectionError, socket.gaierror),
        FaultKind.CONNECT,
    ),
    ((boto.ReadTimeoutError, TimeoutError), FaultKind.STALL),
    (
        (
            boto.ConnectionClosedError,
            boto.ResponseStreamingError,
            boto.IncompleteReadError,
            OSError,
        ),
        FaultKind.BROKEN,
    ),
)


def translate(error: BaseException, *, now: float | None = None) -> Fault:
    """The fault of a failed call. `now` is our time in epoch seconds, to compute the clock skew."""
    if isinstance(error, ClientError):
        return _answered(error, time.time() if now is None else now)
    if isinstance(error, RedirectRefused):
        return redirect_fault(**error.kwargs)
    if isinstance(error, NoResponse | TransientNoResponse):
        fault: Fault = error.kwargs["fault"]
        return fault
    if isinstance(error, S3HaulError):
        return own_fault(error)
    return Fault(_kind(error), str(error) or type(error).__name__)


def _kind(error: BaseException) -> FaultKind:
    kind_of_cause = kind_of_causes(error)
    if kind_of_cause is not None:
        return kind_of_cause
    if isinstance(error, boto.SSLError):
        return handshake_kind(error)
    kind = next((kind for types, kind in _KINDS if isinstance(error, types)), FaultKind.PROTOCOL)
    if kind in {FaultKind.CONNECT, FaultKind.STALL} and out_of_descriptors():
        return FaultKind.LOCAL
    return kind


def handshake_kind(error: BaseException) -> FaultKind:
    """A handshake that was refused is a TLS error; one that was only cut off is a connection error."""
    return FaultKind.CONNECT if any(isinstance(one, CUT) for one in causes(error)) else FaultKind.TLS


def _answered(error: ClientError, now: float) -> Fault:
    said: Mapping[str, Any] = error.response.get("Error", {})
    metadata: Mapping[str, Any] = error.response.get("ResponseMetadata", {})
    headers: Mapping[str, str] = metadata.get("HTTPHeaders", {})
    status = int(metadata.get("HTTPStatusCode", 0))
    return service_fault(status, headers, said, now, request_id=str(metadata.get("RequestId") or ""))


# What botocore raises about servers, responses and credentials. Anything else is about settings and parameters.
_NOT_ABOUT_SETTINGS = (
    NoResponse,
    RedirectRefused,
    *(boto.HTTPClientError, boto.ConnectionError, boto.IncompleteReadError, boto.ResponseStreamingError),
    *(boto.NoCredentialsError, boto.PartialCredentialsError, boto.CredentialRetrievalError),
    *(boto.MetadataRetrievalError, boto.SSOError, boto.TokenRetrievalError, boto.ChecksumError),
)


@contextmanager
def settings_errors(given: Sequence[str] = ()) -> Iterator[None]:
    """Raise `UsageError` for settings that botocore cannot use. For code that sends nothing.

    `given` are the settings that may be the cause, with their locations."""
    try:
        yield
    except S3HaulError:
        raise
    except (BotoCoreError, ValueError, OSError) as error:
        raise settings_error(error, given) from error


def is_settings_error(error: BaseException) -> bool:
    """Whether a call failed because botocore could not build the request."""
    return isinstance(error, BotoCoreError) and not isinstance(error, _NOT_ABOUT_SETTINGS)


def settings_error(error: BaseException, given: Sequence[str] = ()) -> UsageError:
    """The error to raise. It may quote botocore's message: botocore quotes no setting that may be secret."""
    hint = (
        f"check the source, and these settings: {', '.join(given)}"
        if given
        else "s3haul check shows the settings"
    )
    return UsageError("a setting or a name cannot be used", hint=hint, seen=_first_line(error), id=UNUSABLE)


def _first_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
