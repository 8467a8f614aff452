"""How archived objects are asked back: the lines of a plan, for S3 Batch Operations or for a shell. Pure.

Only an owner of the objects, or who has s3:RestoreObject, can do it; s3haul itself restores nothing.
"""

import csv
import io
import json
import shlex
from enum import StrEnum
from urllib.parse import quote

from s3haul.models import ObjectRef

# How long a restore takes at most, as S3 documents it, by tier and storage class; "" where the class has no such tier.
WAITING = {
    "Bulk": {"GLACIER": "12 hours", "DEEP_ARCHIVE": "48 hours"},
    "Standard": {"GLACIER": "5 hours", "DEEP_ARCHIVE": "12 hours"},
    "Expedited": {"GLACIER": "5 minutes", "DEEP_ARCHIVE": ""},
}


class Tiers(StrEnum):
    """How fast, and how dear."""

    BULK = "Bulk"
    STANDARD = "Standard"
    EXPEDITED = "Expedited"


def batch_line(bucket: str, ref: ObjectRef) -> str:
    """A row of a Batch Operations manifest: bucket, encoded key, and the version where one was asked for."""
    cells = [bucket, quote(ref.plain_key, safe="/"), *([ref.version_id] if ref.version_id else [])]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()


def shell_line(bucket: str, ref: ObjectRef, *, days: int, tier: Tiers) -> str:
    """A command of the AWS CLI for one object."""
    request = json.dumps({"Days": days, "GlacierJobParameters": {"Tier": tier}})
    version = ["--version-id", ref.version_id] if ref.version_id else []
    words = ["aws", "s3api", "restore-object", "--bucket", bucket, "--key", ref.plain_key, *version]
    return shlex.join([*words, "--restore-request", request])
