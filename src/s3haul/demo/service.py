"""One request to one answer: picks the service and the operation, applies faults, turns errors into XML.

The whole story of a request except its sockets; `delivery` sends what comes out.
"""

import re
import sys
import traceback
from dataclasses import dataclass

from s3haul.demo.calls import Call
from s3haul.demo.cloud import Cloud
from s3haul.demo.content import EMPTY
from s3haul.demo.effects import Delivery, Disturbance
from s3haul.demo.errors import CloudError, invalid_argument, no_such_key
from s3haul.demo.faults import FaultPlan
from s3haul.demo.identity import sts_caller
from s3haul.demo.messages import Answer, Request
from s3haul.demo.render import s3_error, sts_error
from s3haul.demo.routes import OPERATIONS, operation
from s3haul.demo.s3_gate import S3Call, open_bucket
from s3haul.demo.s3_list import list_page, render_page
from s3haul.demo.s3_read import KMS_NEEDS
from s3haul.demo.sts import form, serve

_KEY_ID = re.compile(r"Credential=([^/,\s]+)/")


@dataclass(frozen=True, slots=True)
class Served:
    """An answer, how it goes out, and its record."""

    answer: Answer
    delivery: Delivery
    call: Call


def serve_request(cloud: Cloud, faults: FaultPlan, request: Request) -> Served:
    if request.method == "POST" and not request.bucket:
        return _serve_sts(cloud, faults, request)
    return _serve_s3(cloud, faults, request)


def _serve_sts(cloud: Cloud, faults: FaultPlan, request: Request) -> Served:
    fields = form(request)
    name, target = fields.get("Action", ""), fields.get("RoleArn", "")
    disturbance = Disturbance(faults.match(name, target))
    call = _record(request, name, target)
    call.effects = disturbance.names
    try:
        disturbance.prepare(cloud, request)
        answer = disturbance.answer(serve(cloud, sts_caller(cloud, request), fields))
    except CloudError as error:
        answer = sts_error(error)
        call.code = error.code
    except Exception:  # noqa: BLE001 - as for S3
        answer = sts_error(_bug())
    call.status = answer.status
    return Served(answer, disturbance.delivery(), call)


def _serve_s3(cloud: Cloud, faults: FaultPlan, request: Request) -> Served:
    disturbance = Disturbance()
    call = _record(request, request.method, request.key)
    try:
        call.operation = name = operation(request)
        if name in {"ListObjectsV2", "ListObjectVersions"}:
            call.key = request.query.get("prefix", "")
        disturbance = Disturbance(faults.match(name, call.key))
        call.effects = disturbance.names
        answer = _s3_answer(cloud, request, name, disturbance)
    except CloudError as error:
        answer = _s3_failure(request, error)
        call.code = error.code
    except Exception:  # noqa: BLE001 - a bug of the demo must look like a broken service, and be seen
        answer = _s3_failure(request, _bug())
    call.status = answer.status
    return Served(answer, disturbance.delivery(), call)


def _s3_answer(cloud: Cloud, request: Request, name: str, disturbance: Disturbance) -> Answer:
    disturbance.prepare(cloud, request)
    _refuse_old_signature(cloud, request, name)
    opened = open_bucket(cloud, request)
    if disturbance.ignores_range:
        request.range = ""
    serve_s3 = OPERATIONS.get(name)
    answer = _listing(opened, disturbance) if serve_s3 is None else serve_s3(opened)
    return disturbance.answer(answer)


def _listing(opened: S3Call, disturbance: Disturbance) -> Answer:
    asked = opened.request.query.get("continuation-token", "")
    return render_page(opened, disturbance.page(list_page(opened), asked))


def _refuse_old_signature(cloud: Cloud, request: Request, name: str) -> None:
    """A KMS object asked for with Signature Version 2 gets KMS's own sentence."""
    if name != "GetObject" or not request.header("authorization").startswith("AWS "):
        return
    bucket = cloud.buckets.get(request.bucket)
    stored = bucket.current(request.key) if bucket else None
    if stored is None:
        raise no_such_key(request.key)
    if stored.kms_key:
        raise invalid_argument(KMS_NEEDS + "require AWS Signature Version 4.")


def _s3_failure(request: Request, error: CloudError) -> Answer:
    answer = s3_error(error)
    if request.method == "HEAD" or error.status == 304:
        answer.body = EMPTY
    return answer


def _bug() -> CloudError:
    """For the exception being handled, which is shown on stderr: a bug here,
    or a policy that cannot be judged."""
    traceback.print_exc(file=sys.stderr)
    return CloudError(500, "InternalError", "The demo cloud could not serve this.")


def _record(request: Request, name: str, key: str) -> Call:
    match = _KEY_ID.search(request.header("authorization"))
    return Call(
        operation=name,
        bucket=request.bucket,
        key=key,
        status=0,
        range=request.range,
        part=request.query.get("partNumber", ""),
        if_match=request.header("if-match"),
        access_key_id=match[1] if match else "",
    )
