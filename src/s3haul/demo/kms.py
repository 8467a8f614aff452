"""The one decision of KMS that a download needs: may this caller decrypt this object through S3?

S3 calls KMS on the caller's behalf, so the request context holds the caller, kms:ViaService and the
encryption context (the object's ARN, or the bucket's with a Bucket Key), and no network address.
"""

from s3haul.demo.access import Caller, Denial, Guard, weigh_guarded
from s3haul.demo.errors import CloudError, access_denied
from s3haul.demo.model import KmsKey, ObjectVersion
from s3haul.demo.policy import Ask
from s3haul.demo.s3_gate import S3Call

_ON = "on the resource associated with this ciphertext"
_UNTOLD = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def check_decrypt(call: S3Call, stored: ObjectVersion) -> None:
    """Raises CloudError unless kms:Decrypt is allowed on the object's key and the key is usable."""
    bucket = call.bucket
    context_arn = bucket.arn if stored.bucket_key else f"{bucket.arn}/{stored.key}"
    check_use(call, "kms:Decrypt", stored.kms_key, context_arn)


def check_use(call: S3Call, action: str, key_arn: str, context_arn: str) -> None:
    """Raises CloudError unless the caller may do `action` with the key through S3."""
    caller, region = call.caller, call.bucket.region
    key = call.cloud.kms_keys.get(key_arn)
    if key is None or key.region != region:
        raise CloudError(400, "KMS.NotFoundException", f"Key '{key_arn}' does not exist")
    context = {
        "kms:viaservice": f"s3.{region}.amazonaws.com",
        "kms:calleraccount": caller.account,
        "kms:encryptioncontext:aws:s3:arn": context_arn,
        "aws:principalaccount": caller.account,
        "aws:principalarn": caller.principal.arns[-1] if caller.principal.arns else "",
    }
    control = call.cloud.resource_control.get(key.account)
    guards = (Guard("resource control", control),) if control else ()
    denial = weigh_guarded(caller, Ask(action, key.arn, context), key.account, key.policy, guards)
    granted = any((arn, action) in key.grants for arn in caller.principal.arns)
    if denial is not None and not (granted and not denial.explicit):
        raise access_denied(_sentence(caller, key, action, denial))
    if key.state == "Disabled":
        raise CloudError(400, "KMS.DisabledException", f"{key.arn} is disabled.")
    if key.state == "PendingDeletion":
        raise CloudError(400, "KMS.KMSInvalidStateException", f"{key.arn} is pending deletion.")


def _sentence(caller: Caller, key: KmsKey, action: str, denial: Denial) -> str:
    """KMS does not tell another account whether the key's policy is what refused."""
    hidden = denial.kind == "resource-based" and caller.account != key.account
    reason = _UNTOLD if hidden else denial.because(action)
    return f"User: {caller.arn} is not authorized to perform: {action} {_ON} {reason}"
