"""S3 Inventory: one report of a bucket, delivered as S3 delivers it. In CSV, which needs no library.

PREFIX/SOURCE-BUCKET/NAME/data/ID.csv.gz
PREFIX/SOURCE-BUCKET/NAME/DATE/manifest.json and manifest.checksum
"""

import csv
import gzip
import hashlib
import io
import json
from datetime import UTC, datetime
from urllib.parse import quote_plus
from uuid import uuid4

from s3haul.demo.cloud import Cloud
from s3haul.demo.model import Bucket, ObjectVersion

COLUMNS = (
    *("Bucket", "Key", "VersionId", "IsLatest", "IsDeleteMarker", "Size", "LastModifiedDate", "ETag"),
    "StorageClass",
)


def deliver(
    cloud: Cloud,
    source: str,
    destination: str,
    *,
    prefix: str = "inventory",
    name: str = "all",
    date: str | None = None,
    files: int = 1,
) -> str:
    """Put a report of all versions into the bucket `destination`; the key of its manifest.json."""
    bucket = cloud.buckets[source]
    versions = [version for key in bucket.sorted_keys() for version in reversed(bucket.objects[key])]
    place = f"{prefix}/{source}/{name}"
    described = []
    for number in range(files):
        data = _data(bucket, versions[number::files])
        key = f"{place}/data/{uuid4()}.csv.gz"
        cloud.put(destination, key, data)
        described.append({"key": key, "size": len(data), "MD5checksum": _md5(data)})
    manifest = json.dumps(
        {
            "sourceBucket": source,
            "destinationBucket": f"arn:aws:s3:::{destination}",
            "version": "2016-11-30",
            "creationTimestamp": str(int(cloud.clock() * 1000)),
            "fileFormat": "CSV",
            "fileSchema": ", ".join(COLUMNS),
            "files": described,
        }
    ).encode()
    there = f"{place}/{date or format(datetime.fromtimestamp(cloud.clock(), UTC), '%Y-%m-%dT%H-%MZ')}"
    cloud.put(destination, f"{there}/manifest.json", manifest)
    cloud.put(destination, f"{there}/manifest.checksum", _md5(manifest).encode())
    return f"{there}/manifest.json"


def _data(bucket: Bucket, versions: list[ObjectVersion]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for version in versions:
        modified = datetime.fromtimestamp(version.last_modified, UTC).isoformat(timespec="milliseconds")
        latest = version is bucket.objects[version.key][-1]
        writer.writerow(
            (
                bucket.name,
                quote_plus(version.key),
                version.version_id if bucket.versioned else "",
                str(latest).lower(),
                str(version.delete_marker).lower(),
                "" if version.delete_marker else version.size,
                modified.replace("+00:00", "Z"),
                "" if version.delete_marker else version.etag,
                version.storage_class,
            )
        )
    return gzip.compress(text.getvalue().encode())


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()
