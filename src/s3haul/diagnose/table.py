"""The one diagnosis table: what each id means, who can fix it, and how. `s3haul help ID` prints an entry.

The entries are in table.tsv, in the columns of `Diagnosis`. The ids are stable: appended to, never
renumbered. `symptoms` and `causes` find the entry; errors and the reasons of objects name it. A fix has words
in capitals (BUCKET), which `fill_placeholders` replaces.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from s3haul import errors
from s3haul.errors import S3HaulError

YOU, OWNER, BOTH = "you", "data owner", "you or the data owner"
_ORGANISATION = "an organisation admin"


class Diagnosis(NamedTuple):
    """`error` is the class of the error that ends a run with this id; it has the exit code.
    `title` is what happened.

    `fix` is an instruction to `who`; its words in capitals (BUCKET, ROLE-ARN, KEY-ARN, CALLER-ARN, REGION,
    PREFIX) stand for values, which `fill_placeholders` puts in where they are known.
    """

    error: type[S3HaulError]
    who: str
    title: str
    fix: str


def _read(path: Path) -> dict[str, Diagnosis]:
    _, *rows = (line.split("\t") for line in path.read_text("utf-8").splitlines())
    return {id_: Diagnosis(getattr(errors, error), who, title, fix) for id_, error, who, title, fix in rows}


DIAGNOSES = _read(Path(__file__).with_name("table.tsv"))

# Kinds of policies that limit what other policies allow: who owns each, and where to look.
# They refine S3H-S3-08.
GUARDS: dict[str, tuple[str, str]] = {
    "service control": (
        _ORGANISATION,
        "Let the service control policies of the caller's account allow it, for this role at least.",
    ),
    "resource control": (
        _ORGANISATION,
        "Let the resource control policies of the owner's account allow it, for this role at least.",
    ),
    "permissions boundary": (OWNER, "Allow it in the permissions boundary of ROLE-ARN as well."),
    "session": (
        YOU,
        "Ask whoever gave you the session (a broker, an SSO permission set) for one that allows it.",
    ),
    "VPC endpoint": (YOU, "Allow it in the policy of the VPC endpoint, which belongs to your network."),
    "resource-based": (
        OWNER,
        "Look in the bucket's policy for a Deny that applies to the role: on endpoint, address or organisation.",
    ),
    "role trust": (OWNER, "Look in the trust policy of ROLE-ARN for a Deny that applies to CALLER-ARN."),
    "identity-based": (BOTH, "Look in the policies of the user or role that AWS names for a Deny."),
}


def fill_placeholders(text: str, values: Mapping[str, str]) -> str:
    """`text` with its words in capitals replaced; those without a value stay.

    Permissions for an access point name its ARN, and ARN/object/* for its objects (S3 User Guide,
    "Configuring IAM policies for using access points").
    """
    bucket = values.get("BUCKET", "")
    if bucket.startswith("arn:"):
        objects = f"{bucket}/object/*"
        values = {
            "arn:aws:s3:::BUCKET/*": objects,
            "arn:aws:s3:::BUCKET": bucket,
            "BUCKET/*": objects,
            **values,
        }
    for name, value in values.items():
        if value:
            text = text.replace(name, value)
    return text
