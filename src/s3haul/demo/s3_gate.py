"""What every S3 operation passes first: who calls, which bucket, which region, which right.

The order is that of S3: signature, bucket, region, bucket owner, requester pays, policies.
"""

from dataclasses import dataclass

from s3haul.demo.access import Caller, Guard, weigh_resource
from s3haul.demo.cloud import Cloud
from s3haul.demo.errors import (
    CloudError,
    access_denied,
    no_such_bucket,
    no_such_key,
    no_such_version,
    permanent_redirect,
    wrong_region,
)
from s3haul.demo.identity import s3_caller
from s3haul.demo.messages import Request
from s3haul.demo.model import Bucket, ObjectVersion
from s3haul.demo.policy import Ask


@dataclass(frozen=True, slots=True)
class S3Call:
    """One authenticated request to one bucket."""

    cloud: Cloud
    request: Request
    caller: Caller
    bucket: Bucket

    @property
    def now(self) -> float:
        return self.cloud.clock()


def open_bucket(cloud: Cloud, request: Request) -> S3Call:
    """Authenticate and find the bucket. Raises CloudError at the first thing that is wrong."""
    caller, region = s3_caller(cloud, request)
    bucket = cloud.buckets.get(request.bucket)
    if bucket is None:
        raise no_such_bucket(request.bucket)
    if region and region != bucket.region:
        refused = (
            permanent_redirect(bucket.name, bucket.region)
            if region == cloud.region
            else wrong_region(region, bucket.region)
        )
        raise refused if cloud.tells_regions else refused.without_detail()
    expected = request.header("x-amz-expected-bucket-owner")
    if expected and expected != bucket.account:
        raise access_denied(headers=_region_header(bucket))
    if bucket.requester_pays and request.header("x-amz-request-payer") != "requester":
        raise access_denied(headers=_region_header(bucket))
    return S3Call(cloud, request, caller, bucket)


def require(call: S3Call, action: str, key: str | None = None) -> None:
    """Raises AccessDenied unless the policies allow `action` on the key, or on the bucket."""
    denied = refusal(call, action, key)
    if denied is not None:
        raise denied


def refusal(call: S3Call, action: str, key: str | None = None) -> CloudError | None:
    bucket = call.bucket
    resource = bucket.arn if key is None else f"{bucket.arn}/{key}"
    ask = Ask(action, resource, _context(call))
    denial = weigh_resource(call.caller, ask, bucket.account, bucket.policy, _guards(call))
    if denial is None:
        return None
    message = "Access Denied"
    # S3 names the policy type only to callers of the bucket's own account.
    if call.caller.account == bucket.account:
        who = f"User: {call.caller.arn} is not authorized to perform: {action}"
        message = f'{who} on resource: "{resource}" {denial.because(action)}'
    return access_denied(message, _region_header(bucket))


def find_object(call: S3Call) -> ObjectVersion:
    """The object that the key, or key and versionId, name, after the rights to read it.

    A missing key is 404 only to callers who may list the bucket.
    """
    request, bucket = call.request, call.bucket
    version_id = request.query.get("versionId")
    require(call, "s3:GetObjectVersion" if version_id else "s3:GetObject", request.key)
    stored = bucket.version(request.key, version_id) if version_id else bucket.current(request.key)
    if stored is None:
        listing = refusal(call, "s3:ListBucket")
        if listing is not None:
            raise listing
        raise no_such_version(request.key, version_id) if version_id else no_such_key(request.key)
    if stored.delete_marker:
        message = "The specified method is not allowed against this resource."
        raise CloudError(405, "MethodNotAllowed", message, headers={"x-amz-delete-marker": "true"})
    if stored.owner and stored.owner != call.caller.account:
        raise access_denied(headers=_region_header(bucket))
    return stored


def _guards(call: S3Call) -> tuple[Guard, ...]:
    """What stands between: the VPC endpoint on the way, and the organisation of the bucket's account."""
    cloud = call.cloud
    endpoint = cloud.endpoint_policy
    control = cloud.resource_control.get(call.bucket.account)
    found = [Guard("VPC endpoint", endpoint)] if endpoint else []
    return (*found, Guard("resource control", control)) if control else tuple(found)


def _context(call: S3Call) -> dict[str, str]:
    request, query = call.request, call.request.query
    context = {
        "aws:securetransport": "true" if request.secure else "false",
        "aws:sourceip": request.peer,
        "aws:principalaccount": call.caller.account,
        "aws:principalarn": call.caller.principal.arns[-1] if call.caller.principal.arns else "",
    }
    if "list-type" in query or "versions" in query:
        context["s3:prefix"] = query.get("prefix", "")
        context["s3:delimiter"] = query.get("delimiter", "")
        context["s3:max-keys"] = query.get("max-keys", "1000")
    if call.caller.session is not None and call.caller.session.mfa:
        context["aws:multifactorauthpresent"] = "true"
    if "versionId" in query:
        context["s3:versionid"] = query["versionId"]
    return context


def _region_header(bucket: Bucket) -> dict[str, str]:
    return {"x-amz-bucket-region": bucket.region}
