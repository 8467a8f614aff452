"""Why an object was not done: stable slugs, each with a sentence and its row of the diagnosis table.

The journal and the manifest hold the slug; summaries print the rest. Who fixes it and how stands in
`diagnose.table`. A reason that is not in this table is a bug, and a test says so.
"""

from typing import NamedTuple

from s3haul.diagnose.table import DIAGNOSES


class Reason(NamedTuple):
    """`id` is the diagnosis id; `sentence` completes "so many objects: …"."""

    id: str
    sentence: str

    @property
    def who(self) -> str:
        return DIAGNOSES[self.id].who

    @property
    def fix(self) -> str:
        return DIAGNOSES[self.id].fix


DAMAGED = "damaged"
DENIED = frozenset({"access-denied", "kms-access-denied"})
REFUSED = DENIED | {"kms-key-unusable", "signature-refused"}  # what may befall every object at once
UNEXPLAINED = DENIED | {"request-refused"}  # one refusal alone does not tell the row

REASONS: dict[str, Reason] = {
    "access-denied": Reason("S3H-S3-04", "S3 refused to read the object"),
    "kms-access-denied": Reason("S3H-KMS-01", "the role may not decrypt the object"),
    "signature-refused": Reason(
        "S3H-NET-01", "S3 refused the signature of this request and took others: a proxy may rewrite the key"
    ),
    "kms-key-unusable": Reason(
        "S3H-KMS-07", "the object's KMS key is disabled, scheduled for deletion, or gone"
    ),
    "insecure-request": Reason(
        "S3H-NET-03", "KMS-encrypted objects are only given over https and to signature version 4"
    ),
    "requester-pays": Reason("S3H-S3-09", "the bucket makes the requester pay"),
    "archived": Reason("S3H-S3-10", "the object is archived"),
    "not-found": Reason("S3H-S3-16", "the object was deleted after it was listed"),
    "vanished": Reason("S3H-S3-16", "the list names objects that are in the bucket no more"),
    "changed": Reason("S3H-S3-12", "the object kept changing while it was fetched"),
    "checksum-mismatch": Reason("S3H-INT-01", "the bytes received do not match the checksum that S3 stores"),
    "no-checksum": Reason(
        "S3H-INT-02", "S3 stores no checksum that can be verified, and --require-checksum is given"
    ),
    "wrong-answer": Reason(
        "S3H-INT-03", "the server's answers do not match the request (status, length, range or ETag)"
    ),
    DAMAGED: Reason("S3H-INT-05", "the file is no longer what was hauled, as `s3haul verify` found"),
    "unusable-entry": Reason(
        "S3H-INT-04", "the listing gives the object a key that is no UTF-8 text, or no usable size"
    ),
    "wrong-encryption": Reason(
        "S3H-KMS-09", "the object is not stored with the encryption that --sse or --sse-kms-key-id states"
    ),
    "throttled": Reason("S3H-S3-11", "S3 or KMS went on refusing for the request rate"),
    "server-error": Reason("S3H-S3-17", "S3 went on answering with errors of its own"),
    "network": Reason("S3H-NET-05", "the connection failed again and again"),
    "stalled": Reason("S3H-NET-08", "the transfer kept stalling"),
    "redirected": Reason("S3H-NET-07", "the server sent us to another address, which is never followed"),
    "intercepted": Reason("S3H-NET-09", "somebody between here and S3 answered with a web page of its own"),
    "credentials": Reason("S3H-STS-02", "the credentials were refused even after a refresh"),
    "request-refused": Reason("S3H-S3-18", "S3 refused the request"),
    "unstorable-name": Reason(
        "S3H-DST-05", "this file system cannot store the key's name or the object's size"
    ),
    "path-in-the-way": Reason(
        "S3H-DST-06", "something that s3haul did not make stands where the file must go"
    ),
    "file-refused": Reason("S3H-DST-09", "the file system did not take the file"),
    "kept-existing": Reason(
        "S3H-DST-07", "a file that differs stands in its place, and --existing skip is given"
    ),
}
