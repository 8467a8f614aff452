"""GetObjectAttributes: checksum and parts of a stored object, paged. ETag comes without quotes here."""

from email.utils import formatdate

from s3haul.demo.checksums import COMPOSITE, StoredChecksum
from s3haul.demo.errors import invalid_argument
from s3haul.demo.messages import Answer
from s3haul.demo.model import ObjectVersion
from s3haul.demo.render import Tree, s3_document
from s3haul.demo.s3_gate import S3Call, find_object, require

_MOST = 1000
_KNOWN = ("ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize")


def get_object_attributes(call: S3Call) -> Answer:
    request = call.request
    if request.header("x-amz-server-side-encryption"):
        message = "x-amz-server-side-encryption header is not supported for this operation."
        raise invalid_argument(message, "x-amz-server-side-encryption", "")
    versioned = "versionId" in request.query
    right = "s3:GetObjectVersionAttributes" if versioned else "s3:GetObjectAttributes"
    require(call, right, request.key)
    stored = find_object(call)
    wanted = {name.strip() for name in request.header("x-amz-object-attributes").split(",")}
    if not wanted <= set(_KNOWN):
        raise invalid_argument("Invalid attribute name specified.", "x-amz-object-attributes", "")
    answer = s3_document("GetObjectAttributesResponse", _branches(call, stored, wanted))
    answer.headers.append(("Last-Modified", formatdate(stored.last_modified, usegmt=True)))
    if call.bucket.versioned:
        answer.headers.append(("x-amz-version-id", stored.version_id))
    return answer


def _branches(call: S3Call, stored: ObjectVersion, wanted: set[str]) -> Tree:
    branches: dict[str, str | Tree | list[Tree]] = {}
    if "ETag" in wanted:
        branches["ETag"] = stored.etag
    if "Checksum" in wanted and stored.checksum is not None:
        checksum = stored.checksum
        branches["Checksum"] = {_name(checksum): checksum.value, "ChecksumType": checksum.type}
    if "ObjectParts" in wanted and stored.part_sizes:
        branches["ObjectParts"] = _parts(call, stored)
    if "StorageClass" in wanted:
        branches["StorageClass"] = stored.storage_class
    if "ObjectSize" in wanted:
        branches["ObjectSize"] = str(stored.size)
    return branches


def _parts(call: S3Call, stored: ObjectVersion) -> Tree:
    """Parts are listed for COMPOSITE checksums only; else there is just their number."""
    count = len(stored.part_sizes)
    checksum = stored.checksum
    if checksum is None or checksum.type != COMPOSITE:
        return {"PartsCount": str(count)}
    marker = _number(call.request.header("x-amz-part-number-marker"), "part-number-marker", 0)
    most = min(_number(call.request.header("x-amz-max-parts"), "max-parts", _MOST), _MOST)
    last = min(marker + most, count)
    values, name = checksum.part_values, _name(checksum)
    parts: list[Tree] = [
        {
            "PartNumber": str(index + 1),
            "Size": str(stored.part_sizes[index]),
            name: values[index],
        }
        for index in range(marker, last)
    ]
    return {
        "PartsCount": str(count),
        "PartNumberMarker": str(marker),
        "NextPartNumberMarker": str(last),
        "MaxParts": str(most),
        "IsTruncated": "true" if last < count else "false",
        "Part": parts,
    }


def _number(given: str, name: str, default: int) -> int:
    if not given:
        return default
    if not given.isdecimal():
        raise invalid_argument(f"Provided {name} not an integer or within integer range", name, given)
    return int(given)


def _name(checksum: StoredChecksum) -> str:
    return f"Checksum{checksum.algorithm}"
