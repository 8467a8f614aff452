"""Authentication: from the Authorization header to a Caller, or the error of the service that was asked.

S3 and STS name the same failures differently and tolerate different clock skews; the two tables are here.
"""

import calendar
import hashlib
import time
from functools import lru_cache

from s3haul.demo import sigv4
from s3haul.demo.access import ANONYMOUS, Caller, Guard
from s3haul.demo.cloud import Cloud
from s3haul.demo.errors import CloudError, access_denied, invalid_request
from s3haul.demo.messages import Request
from s3haul.demo.model import Policy, Session, User
from s3haul.demo.policy import Principal

S3_SKEW = 900
STS_SKEW = 300
_STREAMING = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
_LITERAL_HASHES = ("UNSIGNED-PAYLOAD", _STREAMING)
V2_REFUSED = "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
_MALFORMED = "The authorization header is malformed; the authorization header requires three components: "


def s3_caller(cloud: Cloud, request: Request) -> tuple[Caller, str]:
    """The caller and the region of the credential scope ("" for an anonymous request)."""
    authorization = request.header("authorization")
    if not authorization:
        return ANONYMOUS, ""
    if authorization.startswith("AWS "):
        raise invalid_request(V2_REFUSED)
    signature = sigv4.parse(authorization)
    if signature is None or signature.service != "s3":
        message = _MALFORMED + "Credential, SignedHeaders, and Signature."
        raise CloudError(400, "AuthorizationHeaderMalformed", message)
    _check_s3_date(cloud, request)
    holder = _holder(cloud, signature.access_key_id)
    token = request.header("x-amz-security-token")
    if holder is None or (isinstance(holder, Session) and not token):
        message = "The AWS Access Key Id you provided does not exist in our records."
        raise CloudError(403, "InvalidAccessKeyId", message, {"AWSAccessKeyId": signature.access_key_id})
    if token and (not isinstance(holder, Session) or token != holder.token):
        message = "The provided token is malformed or otherwise invalid."
        raise CloudError(400, "InvalidToken", message, {"Token-0": token})
    _check_payload_hash(request)
    if not sigv4.matches(request, signature, holder.secret):
        raise _s3_mismatch(request, signature)
    if isinstance(holder, Session) and holder.expires <= cloud.clock():
        raise CloudError(400, "ExpiredToken", "The provided token has expired.", {"Token-0": token})
    unsigned = sigv4.unsigned_headers(request, signature)
    if unsigned:
        denied = access_denied("There were headers present in the request which were not signed")
        denied.detail["HeadersNotSigned"] = ", ".join(unsigned)
        raise denied
    return _caller(cloud, holder), signature.region


def sts_caller(cloud: Cloud, request: Request) -> Caller:
    """The caller of an STS or IAM request; every region of the scope is accepted, unless STS is off there."""
    authorization = request.header("authorization")
    if not authorization:
        raise CloudError(403, "MissingAuthenticationToken", "Request is missing Authentication Token")
    signature = sigv4.parse(authorization)
    if signature is None or signature.service not in {"sts", "iam"}:
        raise CloudError(
            400, "IncompleteSignature", "The request signature does not conform to AWS standards."
        )
    holder = _holder(cloud, signature.access_key_id)
    token = request.header("x-amz-security-token")
    expected = holder.token if isinstance(holder, Session) else ""
    if holder is None or token != expected:
        message = "The security token included in the request is invalid."
        raise CloudError(403, "InvalidClientTokenId", message)
    _check_sts_date(cloud, request)
    if not sigv4.matches(request, signature, holder.secret):
        message = (
            "The request signature we calculated does not match the signature you provided. Check your AWS "
            "Secret Access Key and signing method. Consult the service documentation for details."
        )
        raise CloudError(403, "SignatureDoesNotMatch", message)
    if isinstance(holder, Session) and holder.expires <= cloud.clock():
        raise CloudError(403, "ExpiredToken", "The security token included in the request is expired")
    if signature.region in cloud.sts_regions_off:
        message = f"STS is not activated in this region for account:{_caller(cloud, holder).account}."
        raise CloudError(403, "RegionDisabledException", message)
    return _caller(cloud, holder)


def _holder(cloud: Cloud, access_key_id: str) -> User | Session | None:
    return cloud.users.get(access_key_id) or cloud.sessions.get(access_key_id)


def _caller(cloud: Cloud, holder: User | Session) -> Caller:
    if isinstance(holder, User):
        principal = Principal(holder.account, (holder.unique_id, holder.arn))
        guards = _guards(cloud, holder.account, holder.boundary)
        user = holder.unique_id
        return Caller(principal, holder.arn, user, holder.access_key_id, holder.policies, guards=guards)
    role = holder.role
    arn = f"arn:aws:sts::{role.account}:assumed-role/{role.name.rpartition('/')[2]}/{holder.name}"
    principal = Principal(role.account, (role.unique_id, arn, role.arn))
    user_id = f"{role.unique_id}:{holder.name}"
    guards = _guards(cloud, role.account, role.boundary)
    return Caller(principal, arn, user_id, holder.access_key_id, role.policies, holder, guards)


def _guards(cloud: Cloud, account: str, boundary: Policy | None) -> tuple[Guard, ...]:
    """What limits this caller whatever its policies say."""
    found = (
        [Guard("service control", cloud.service_control[account])] if account in cloud.service_control else []
    )
    return (*found, Guard("permissions boundary", boundary)) if boundary else tuple(found)


def _check_s3_date(cloud: Cloud, request: Request) -> None:
    asked = _timestamp(request.header("x-amz-date"))
    if asked is None:
        raise access_denied("AWS authentication requires a valid Date or x-amz-date header")
    now = cloud.clock()
    if abs(now - asked) > S3_SKEW:
        detail = {
            "RequestTime": request.header("x-amz-date"),
            "ServerTime": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now)),
            "MaxAllowedSkewMilliseconds": str(S3_SKEW * 1000),
        }
        message = "The difference between the request time and the current time is too large."
        raise CloudError(403, "RequestTimeTooSkewed", message, detail)


def _check_sts_date(cloud: Cloud, request: Request) -> None:
    given = request.header("x-amz-date")
    asked = _timestamp(given)
    if asked is None:
        raise CloudError(400, "IncompleteSignature", "Date must be in ISO-8601 'basic format'.")
    now = cloud.clock()
    minutes = STS_SKEW // 60
    if asked < now - STS_SKEW:
        bound, clock = _basic(now - STS_SKEW), _basic(now)
        message = f"Signature expired: {given} is now earlier than {bound} ({clock} - {minutes} min.)"
        raise CloudError(403, "SignatureDoesNotMatch", message)
    if asked > now + STS_SKEW:
        bound, clock = _basic(now + STS_SKEW), _basic(now)
        message = f"Signature not yet current: {given} is still later than {bound} ({clock} + {minutes} min.)"
        raise CloudError(403, "SignatureDoesNotMatch", message)


def _check_payload_hash(request: Request) -> None:
    claimed = request.header("x-amz-content-sha256")
    if not claimed:
        raise invalid_request("Missing required header for this request: x-amz-content-sha256")
    if claimed in _LITERAL_HASHES or (claimed == sigv4.EMPTY_SHA256 and not request.body):
        return
    actual = hashlib.sha256(request.body).hexdigest()
    if claimed != actual:
        message = "The provided 'x-amz-content-sha256' header does not match what was computed."
        detail = {"ClientComputedContentSHA256": claimed, "S3ComputedContentSHA256": actual}
        raise CloudError(400, "XAmzContentSHA256Mismatch", message, detail)


def _s3_mismatch(request: Request, signature: sigv4.Signature) -> CloudError:
    message = (
        "The request signature we calculated does not match the signature you provided. "
        "Check your key and signing method."
    )
    detail = {
        "AWSAccessKeyId": signature.access_key_id,
        "StringToSign": sigv4.string_to_sign(request, signature),
        "SignatureProvided": signature.value,
        "CanonicalRequest": sigv4.canonical_request(request, signature.signed_headers),
    }
    return CloudError(403, "SignatureDoesNotMatch", message, detail)


@lru_cache(maxsize=64)
def _timestamp(text: str) -> float | None:
    try:
        return calendar.timegm(time.strptime(text, "%Y%m%dT%H%M%SZ"))
    except ValueError:
        return None


def _basic(moment: float) -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(moment))
