"""Is this answer the one that was asked for? Pure checks of headers and lengths.

An SDK accepts a 206 with another range, a 200 to a range, a bare 204 and a short Content-Length; each
would put wrong bytes under a good name.
"""

from s3haul.core.etags import same_etag
from s3haul.errors import Fault, FaultKind, StoreError
from s3haul.models import ObjectMeta, ObjectRef
from s3haul.options import TransferOptions
from s3haul.store.protocol import Chunk


class RefusedError(Exception):
    """The object is not what the user says it must be; `reason` is a slug of `diagnose.reasons`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def check_whole(ref: ObjectRef, meta: ObjectMeta) -> None:
    """Raises `StoreError` unless `meta` answers a plain GET of exactly this version."""
    if meta.status != 200:
        raise wrong(f"status {meta.status} to a plain GET")
    if meta.length is not None and meta.length != ref.size:
        raise wrong(f"Content-Length {meta.length} for an object of {ref.size} bytes")
    _check_etag(ref, meta)


def check_range(ref: ObjectRef, meta: ObjectMeta, start: int, end: int) -> None:
    """Raises `StoreError` unless `meta` answers a GET of just these bytes (`end` exclusive) of this version."""
    if meta.status != 206:
        raise wrong(f"status {meta.status} to a GET of a range")
    if meta.range_start != start:
        raise wrong(f"a range from byte {meta.range_start} instead of {start}")
    if meta.size not in {ref.size, None}:  # None: the server sends */ in Content-Range
        raise wrong(f"a range of an object of {meta.size} bytes instead of {ref.size}")
    if meta.length != end - start:
        raise wrong(f"a range of {meta.length} bytes instead of {end - start}")
    _check_etag(ref, meta)


def check_not_longer(left: int, chunk: Chunk) -> None:
    """Raises `StoreError` for more bytes than the `left` ones that were announced."""
    if len(chunk) > left:
        raise wrong(f"{len(chunk) - left} bytes more than were announced, or still more")


def check_complete(left: int) -> None:
    """Raises `StoreError` where a body ended and `left` bytes are missing."""
    if left:
        raise StoreError(Fault(FaultKind.BROKEN, f"the body ended {left} bytes early"))


def _check_etag(ref: ObjectRef, meta: ObjectMeta) -> None:
    if ref.etag and not same_etag(meta.etag, ref.etag):
        raise wrong(f"ETag {meta.etag or 'missing'} where {ref.etag} was asked for")


def wrong(what: str) -> StoreError:
    """The fault of an answer that does not match its request."""
    return StoreError(Fault(FaultKind.PROTOCOL, f"the server's answer is wrong: {what}"))


def demand_encryption(meta: ObjectMeta, options: TransferOptions) -> None:
    """Raises `RefusedError` unless the object is stored as `--sse` and `--sse-kms-key-id` state.

    A key may be named by its id or by its ARN, as S3 accepts both.
    """
    if options.sse is not None and meta.sse != options.sse:
        raise RefusedError(
            "wrong-encryption", f"stored with {meta.sse or 'no encryption header'}, not {options.sse}"
        )
    wanted = options.sse_kms_key_id
    if wanted is not None and wanted not in {meta.kms_key_id, meta.kms_key_id.rpartition("/")[2]}:
        raise RefusedError("wrong-encryption", f"stored under key {meta.kms_key_id or 'none'}, not {wanted}")
