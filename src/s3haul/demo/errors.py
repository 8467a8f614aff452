"""The errors that the emulated services answer with: AWS's codes, statuses and sentences.

Sentences come from recorded answers and AWS pages. Nothing here decides anything: the callers
raise, `server` renders in the form of the service that was asked.
"""

from collections.abc import Mapping


class CloudError(Exception):
    """One error answer. `detail` becomes further elements of the XML, `headers` are sent along."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.detail = dict(detail or {})
        self.headers = dict(headers or {})

    def without_detail(self) -> "CloudError":
        """The same refusal of a server that says less than S3 does."""
        return CloudError(self.status, self.code, self.message.partition(";")[0])


def access_denied(message: str = "Access Denied", headers: Mapping[str, str] | None = None) -> CloudError:
    return CloudError(403, "AccessDenied", message, headers=headers)


def no_such_key(key: str) -> CloudError:
    return CloudError(404, "NoSuchKey", "The specified key does not exist.", {"Key": key})


def no_such_version(key: str, version_id: str) -> CloudError:
    detail = {"Key": key, "VersionId": version_id}
    return CloudError(404, "NoSuchVersion", "The specified version does not exist.", detail)


def no_such_bucket(bucket: str) -> CloudError:
    return CloudError(404, "NoSuchBucket", "The specified bucket does not exist", {"BucketName": bucket})


def no_such_upload(upload_id: str) -> CloudError:
    message = (
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been "
        "aborted or completed."
    )
    return CloudError(404, "NoSuchUpload", message, {"UploadId": upload_id})


def invalid_argument(message: str, name: str = "", value: str = "") -> CloudError:
    detail = {"ArgumentName": name, "ArgumentValue": value} if name else {}
    return CloudError(400, "InvalidArgument", message, detail)


def invalid_request(message: str) -> CloudError:
    return CloudError(400, "InvalidRequest", message)


def invalid_range(requested: str, size: int) -> CloudError:
    detail = {"RangeRequested": requested, "ActualObjectSize": str(size)}
    return CloudError(416, "InvalidRange", "The requested range is not satisfiable", detail)


def invalid_part_number(requested: int, count: int) -> CloudError:
    detail = {"PartNumberRequested": str(requested), "ActualPartCount": str(count)}
    return CloudError(416, "InvalidPartNumber", "The requested partnumber is not satisfiable", detail)


def precondition_failed(condition: str) -> CloudError:
    message = "At least one of the pre-conditions you specified did not hold"
    return CloudError(412, "PreconditionFailed", message, {"Condition": condition})


def invalid_object_state(storage_class: str, tier: str = "") -> CloudError:
    detail = {"StorageClass": storage_class}
    if tier:
        detail["AccessTier"] = tier
    message = "The operation is not valid for the object's storage class"
    return CloudError(403, "InvalidObjectState", message, detail)


def bad_digest(header: str) -> CloudError:
    return CloudError(400, "BadDigest", f"The {header} you specified did not match the calculated checksum.")


def wrong_region(given: str, region: str) -> CloudError:
    message = f"The authorization header is malformed; the region '{given}' is wrong; expecting '{region}'"
    return CloudError(
        400, "AuthorizationHeaderMalformed", message, {"Region": region}, {"x-amz-bucket-region": region}
    )


def permanent_redirect(bucket: str, region: str) -> CloudError:
    message = (
        "The bucket you are attempting to access must be addressed using the specified endpoint. "
        "Please send all future requests to this endpoint."
    )
    detail = {"Endpoint": f"{bucket}.s3.{region}.amazonaws.com", "Bucket": bucket}
    return CloudError(301, "PermanentRedirect", message, detail, {"x-amz-bucket-region": region})


def not_implemented() -> CloudError:
    return CloudError(501, "NotImplemented", "The demo cloud does not serve this operation.")
