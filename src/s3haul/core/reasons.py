"""Why an object was not done: one table of stable slugs, each with its sentence, fixer and fix.

The journal and the manifest hold the slug; summaries and `s3haul help errors` print the rest. A reason
that is not in this table is a bug, and a test says so.
"""

from typing import NamedTuple


class Reason(NamedTuple):
    """`id` is the diagnosis id; `who` can fix it: you, the data owner, the service, or nobody."""

    id: str
    sentence: str
    who: str
    fix: str


REASONS: dict[str, Reason] = {
    "access-denied": Reason(
        "S3H-S3-04",
        "S3 refused to read the object",
        "data owner",
        "allow s3:GetObject on arn:aws:s3:::BUCKET/* in the role's policy, and look for an explicit deny",
    ),
    "kms-access-denied": Reason(
        "S3H-KMS-01",
        "the role may not decrypt the object",
        "data owner",
        "allow kms:Decrypt on the object's key ARN in the role's policy; the key policy must let it act",
    ),
    "kms-key-unusable": Reason(
        "S3H-KMS-07",
        "the object's KMS key is disabled, scheduled for deletion, or gone",
        "data owner",
        "enable the key, or cancel its deletion now",
    ),
    "insecure-request": Reason(
        "S3H-NET-03",
        "KMS-encrypted objects are only given over https and to signature version 4",
        "you",
        "use an https:// endpoint",
    ),
    "requester-pays": Reason(
        "S3H-S3-09", "the bucket makes the requester pay", "you", "add --request-payer requester"
    ),
    "archived": Reason(
        "S3H-S3-10",
        "the object is archived",
        "data owner",
        "restore it (RestoreObject), then run the same command again",
    ),
    "not-found": Reason(
        "S3H-S3-16", "the object was deleted after it was listed", "nobody", "run again to list anew"
    ),
    "changed": Reason(
        "S3H-S3-12", "the object kept changing while it was fetched", "you", "run again when it is at rest"
    ),
    "checksum-mismatch": Reason(
        "S3H-INT-01",
        "the bytes received do not match the checksum that S3 stores",
        "data owner",
        "run again; if it repeats, the stored object is damaged",
    ),
    "no-checksum": Reason(
        "S3H-INT-02",
        "S3 stores no checksum that can be verified, and --require-checksum is given",
        "data owner",
        "copy the object in place with a checksum, or drop --require-checksum",
    ),
    "wrong-answer": Reason(
        "S3H-INT-03",
        "the server's answers do not match the request (status, length, range or ETag)",
        "the service",
        "look for a proxy or gateway between you and S3; run again",
    ),
    "wrong-encryption": Reason(
        "S3H-KMS-09",
        "the object is not stored with the encryption that --sse or --sse-kms-key-id states",
        "data owner",
        "re-encrypt the object, or drop the flag",
    ),
    "throttled": Reason(
        "S3H-S3-11",
        "S3 or KMS went on refusing for the request rate",
        "data owner",
        "run again later, or lower --concurrency; for KMS use Bucket Keys or a higher quota",
    ),
    "server-error": Reason(
        "S3H-S3-17", "S3 went on answering with errors of its own", "the service", "run again"
    ),
    "network": Reason(
        "S3H-NET-05", "the connection failed again and again", "you", "check the network, then run again"
    ),
    "stalled": Reason("S3H-NET-08", "the transfer kept stalling", "you", "check the network, then run again"),
    "redirected": Reason(
        "S3H-NET-07",
        "the server sent us to another address, which is never followed",
        "you",
        "check --endpoint-url and --region",
    ),
    "credentials": Reason(
        "S3H-STS-02", "the credentials were refused even after a refresh", "you", "log in again, then resume"
    ),
    "request-refused": Reason("S3H-S3-18", "S3 refused the request", "you", "see the detail in the manifest"),
    "process-died": Reason(
        "S3H-RUN-02",
        "the processes that fetched the object died, one after the other",
        "you",
        "look for a lack of memory, or run with --processes 1",
    ),
    "unstorable-name": Reason(
        "S3H-DST-05",
        "this file system cannot store the key's name or the object's size",
        "you",
        "haul to another file system",
    ),
    "path-in-the-way": Reason(
        "S3H-DST-06",
        "something that s3haul did not make stands where the file must go",
        "you",
        "move it away, or choose an empty destination",
    ),
    "file-refused": Reason(
        "S3H-DST-09",
        "the file system did not take the file",
        "you",
        "the detail says why (permissions, a mount inside the destination, a full directory)",
    ),
    "kept-existing": Reason(
        "S3H-DST-07",
        "a file that differs stands in its place, and --existing skip is given",
        "you",
        "use --existing overwrite to replace it",
    ),
}
