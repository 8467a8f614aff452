"""The one diagnosis table: what each id means, who can fix it, how. `s3haul help ID` prints a row.

The ids are stable: appended to, never renumbered. `diagnose.symptoms` and `diagnose.causes` find the row;
errors and the reasons of objects name it. In a fix, words in capitals (BUCKET, ROLE-ARN, KEY-ARN,
CALLER-ARN, REGION) stand for values: `filled` puts in those that are known.
"""

from collections.abc import Mapping
from typing import NamedTuple

YOU, OWNER, BOTH = "you", "data owner", "you or the data owner"
ADMIN, ORGANISATION = "your administrator", "an organisation admin"
SERVICE, NOBODY = "the service", "nobody"


class Diagnosis(NamedTuple):
    """`title` is what happened; `fix` is an instruction to `who`."""

    title: str
    who: str
    fix: str


DIAGNOSES: dict[str, Diagnosis] = {
    "S3H-CFG-01": Diagnosis(
        "The profile does not exist.",
        YOU,
        "Name an existing profile. In ~/.aws/config a section is [profile NAME]; only default has no prefix.",
    ),
    "S3H-CFG-02": Diagnosis(
        "The source profile is missing or has no credentials.",
        YOU,
        "Give the profile that source_profile names an access key, an SSO login or a role of its own.",
    ),
    "S3H-CFG-03": Diagnosis(
        "The profile has a role_arn but no source_profile or credential_source.",
        YOU,
        "Add source_profile (or credential_source) to the profile.",
    ),
    "S3H-CFG-04": Diagnosis(
        "The profile contradicts itself: both kinds of source, or profiles that refer to each other in a circle.",
        YOU,
        "Keep one of source_profile and credential_source, and let the chain end at real credentials.",
    ),
    "S3H-CFG-05": Diagnosis(
        "There are no credentials.",
        YOU,
        "Log in, or name a --profile that has credentials.",
    ),
    "S3H-CFG-06": Diagnosis(
        "The caller is not the one that was expected.",
        YOU,
        "An exported AWS_ACCESS_KEY_ID wins over AWS_PROFILE: unset it, or pass --profile. If the account differs"
        " from the role's, check role_arn and the endpoint.",
    ),
    "S3H-CFG-07": Diagnosis(
        "The AWS configuration file cannot be read, or not be changed safely.",
        YOU,
        "Mend the line that is named. An indented line goes on with the value above it, whatever it looks like.",
    ),
    "S3H-CFG-08": Diagnosis(
        "A setting or a name has a value that cannot be used.",
        YOU,
        "Mend it in the place that is named: a flag, a variable, or a section of a file. An empty variable is none.",
    ),
    "S3H-CFG-09": Diagnosis(
        "The profile sets something that changes nothing here.",
        YOU,
        "Nothing, if the default suits you: see what is said behind each setting.",
    ),
    "S3H-STS-01": Diagnosis(
        "The credentials are unknown: STS or S3 does not know the access key.",
        YOU,
        "The key may be deleted or inactive. Temporary keys (ASIA...) also need their session token.",
    ),
    "S3H-STS-02": Diagnosis(
        "The source credentials have expired, so the role cannot be assumed or renewed.",
        YOU,
        "Log in again (for example aws sso login), then run the same command: it resumes.",
    ),
    "S3H-STS-03": Diagnosis(
        "STS refused the role without naming a policy: mostly the External ID is missing or different.",
        BOTH,
        "Pass the exact External ID (case and spaces count). If it is right, the role's trust policy does not"
        " name you: see S3H-STS-05. With --owner-profile, s3haul check reads the trust policy and tells.",
    ),
    "S3H-STS-04": Diagnosis(
        "Your own policies do not allow sts:AssumeRole on this role.",
        ADMIN,
        "Your administrator allows sts:AssumeRole on ROLE-ARN in your policies. Check the ARN too.",
    ),
    "S3H-STS-05": Diagnosis(
        "The role's trust policy does not name this caller.",
        OWNER,
        "Add CALLER-ARN, or its account's root with a condition, as Principal of the trust policy of ROLE-ARN.",
    ),
    "S3H-STS-06": Diagnosis(
        "The trust policy names a user or role that was deleted and made again (AIDA... or AROA...).",
        OWNER,
        "Save the caller's ARN in the trust policy of ROLE-ARN again: CALLER-ARN.",
    ),
    "S3H-STS-07": Diagnosis(
        "The role's ARN or another parameter of the session is wrong; or the role does not exist.",
        YOU,
        "Check the ARN: account, path and name, which is case-sensitive.",
    ),
    "S3H-STS-08": Diagnosis(
        "The role wants MFA, the code is wrong, or an MFA session cannot be renewed.",
        YOU,
        "Set mfa_serial. For runs longer than one session use a source without MFA, or resume with a new code.",
    ),
    "S3H-STS-09": Diagnosis(
        "The External ID has characters or a length that STS does not take.",
        YOU,
        "It has 2 to 1224 characters out of letters, digits and + = , . @ : / - _",
    ),
    "S3H-STS-10": Diagnosis(
        "The session is longer than the role allows, or not 900 to 43200 seconds.",
        BOTH,
        "Lower --duration-seconds, or let the data owner raise the role's MaxSessionDuration.",
    ),
    "S3H-STS-11": Diagnosis(
        "The source is itself a role, so AWS caps the session at one hour.",
        NOBODY,
        "Nothing: the session is renewed every hour.",
    ),
    "S3H-STS-12": Diagnosis(
        "STS is not active in this region.",
        BOTH,
        "Activate it, or choose another --region.",
    ),
    "S3H-STS-13": Diagnosis(
        "The role can be assumed without its External ID, so that others who are trusted may be tricked into it.",
        OWNER,
        "Demand sts:ExternalId in a condition of the trust policy of ROLE-ARN.",
    ),
    "S3H-STS-14": Diagnosis(
        "STS gives sessions of the role, and S3 refuses them.",
        SERVICE,
        "The source credentials are fine. Wait, then check that STS and S3 are of one service and one region, that "
        "--endpoint-url is right, and that no proxy removes the header x-amz-security-token.",
    ),
    "S3H-NET-01": Diagnosis(
        "A signature was refused: the clock is off, the secret is wrong, or a proxy rewrites requests.",
        YOU,
        "Set the clock (5 minutes are too much), then check the secret and the proxy.",
    ),
    "S3H-NET-02": Diagnosis(
        "The bucket is in another region.",
        YOU,
        "Give the bucket's region with --region; a custom endpoint must be that region's.",
    ),
    "S3H-NET-03": Diagnosis(
        "KMS-encrypted objects need https and signature version 4, or the endpoint may not be used.",
        YOU,
        "Use https:// and remove signature_version settings other than s3v4. Plain http beyond this machine"
        " needs --allow-plain-http.",
    ),
    "S3H-NET-04": Diagnosis(
        "A host name cannot be resolved.", YOU, "Check DNS, the region and --endpoint-url."
    ),
    "S3H-NET-05": Diagnosis(
        "The server cannot be reached, or not for long enough.",
        YOU,
        "Check network, proxy and --endpoint-url; the same command resumes.",
    ),
    "S3H-NET-06": Diagnosis(
        "The server's certificate was refused.",
        YOU,
        "If a private authority signed it, name its PEM file with --ca-bundle. A wrong name means a wrong server.",
    ),
    "S3H-NET-07": Diagnosis(
        "The server redirects. Redirects are never followed, since the session token would travel along.",
        YOU,
        "Check --region and --endpoint-url.",
    ),
    "S3H-NET-08": Diagnosis(
        "The server sent nothing, or too little, for too long.",
        YOU,
        "Check the network; the same command resumes.",
    ),
    "S3H-NET-09": Diagnosis(
        "Somebody between here and the service answered with a web page: a proxy, a filter or a captive portal.",
        ADMIN,
        "Open the endpoint in a browser to see whose page it is; have its host let through, or name the right"
        " proxy in HTTPS_PROXY (NO_PROXY for none). No policy of the bucket or the role is at fault.",
    ),
    "S3H-S3-01": Diagnosis(
        "The bucket does not exist.", YOU, "Check its name, the account and the endpoint."
    ),
    "S3H-S3-02": Diagnosis(
        "The role may not list the bucket (s3:ListBucket).",
        OWNER,
        "Allow s3:ListBucket on the bucket's own ARN, arn:aws:s3:::BUCKET, not BUCKET/*.",
    ),
    "S3H-S3-03": Diagnosis(
        "The role may list other prefixes of the bucket, but not this one (a condition on s3:prefix).",
        BOTH,
        "Haul a prefix that may be listed (PREFIX), or have the s3:prefix condition on s3:ListBucket widened.",
    ),
    "S3H-S3-04": Diagnosis(
        "The role may not read the objects (s3:GetObject).",
        OWNER,
        "Allow s3:GetObject on the objects, arn:aws:s3:::BUCKET/*, not on the bucket's own ARN.",
    ),
    "S3H-S3-05": Diagnosis(
        "The object does not exist, and who may not list the bucket is told 403 instead of 404.",
        BOTH,
        "Check the key. The data owner may allow s3:ListBucket on arn:aws:s3:::BUCKET, and 404 is told.",
    ),
    "S3H-S3-06": Diagnosis(
        "S3 was sent a header that asks for encryption, which it refuses on reads. s3haul sends none.",
        YOU,
        "Look for a proxy or gateway that adds x-amz-server-side-encryption.",
    ),
    "S3H-S3-07": Diagnosis(
        "Some objects belong to another account, which the bucket's and the role's policies do not reach.",
        OWNER,
        "Set the bucket's Object Ownership to Bucket owner enforced, or copy those objects in place.",
    ),
    "S3H-S3-08": Diagnosis(
        "A policy refuses what the role's own policy allows; AWS names its kind.",
        OWNER,
        "Change the policy of that kind: service control and resource control policies are the organisation's,"
        " boundaries and resource-based policies the data owner's, endpoint and session policies yours.",
    ),
    "S3H-S3-09": Diagnosis(
        "The bucket makes the requester pay.",
        YOU,
        "Add --request-payer requester. The account of the role pays.",
    ),
    "S3H-S3-10": Diagnosis(
        "Objects are archived.",
        OWNER,
        "Restore them (RestoreObject), then run the same command again. Until then they are skipped.",
    ),
    "S3H-S3-11": Diagnosis(
        "S3 refuses requests for their rate.",
        NOBODY,
        "Nothing: s3haul slows down by itself. If it goes on, lower --concurrency or run later.",
    ),
    "S3H-S3-12": Diagnosis(
        "Objects are overwritten while they are read.",
        YOU,
        "Run again when the bucket is at rest: a changed object is fetched anew, three times at most.",
    ),
    "S3H-S3-13": Diagnosis(
        "The bucket belongs to another account than --expected-bucket-owner says.",
        YOU,
        "Check the account number, and that the bucket is the one you mean: names can look alike.",
    ),
    "S3H-S3-14": Diagnosis(
        "There is no byte to read: the objects are empty.",
        NOBODY,
        "Nothing: another probe proves the right to read.",
    ),
    "S3H-S3-15": Diagnosis(
        "The listing is incomplete, so nobody could say that every key was hauled.",
        SERVICE,
        "Run again. If it repeats, the server's listing is faulty. SeaweedFS, for one, lists directory by directory,"
        " so that logs/a comes before logs.txt, and loses keys at page ends: haul its prefixes one by one.",
    ),
    "S3H-S3-16": Diagnosis(
        "The object does not exist, or was deleted after it was listed.",
        YOU,
        "Check the key, which is case-sensitive, or run again to list anew.",
    ),
    "S3H-S3-17": Diagnosis(
        "The service failed, and went on failing.",
        SERVICE,
        "Run again: the same command resumes.",
    ),
    "S3H-S3-18": Diagnosis("The service refused the request.", YOU, "Its own words say why."),
    "S3H-S3-19": Diagnosis(
        "No object is selected: nothing is there, or the filters leave nothing.",
        YOU,
        "Check bucket, prefix and filters; keys are case-sensitive. With --fail-if-empty this is exit code 6.",
    ),
    "S3H-KMS-01": Diagnosis(
        "The role may not decrypt the objects (kms:Decrypt).",
        OWNER,
        "Allow kms:Decrypt on KEY-ARN, not on an alias. A condition kms:ViaService must name the bucket's region.",
    ),
    "S3H-KMS-02": Diagnosis(
        "The key's own policy does not let the role decrypt.",
        OWNER,
        "Add the role to the policy of KEY-ARN, or put back its statement that lets IAM policies act.",
    ),
    "S3H-KMS-03": Diagnosis(
        "The key is another account's and is not shared with the caller; or the role was not assumed at all.",
        OWNER,
        "The account of KEY-ARN adds the role to the key's policy; the role's policy must allow kms:Decrypt too.",
    ),
    "S3H-KMS-04": Diagnosis(
        "A policy tests the caller's address, VPC or endpoint for kms:Decrypt, and S3 makes that call.",
        OWNER,
        "Take aws:SourceIp, aws:SourceVpc and aws:SourceVpce out of the statement; kms:ViaService narrows it"
        " instead. In a Deny add aws:ViaAWSService = false.",
    ),
    "S3H-KMS-05": Diagnosis(
        "The condition on the encryption context has one form only, so old or new objects are shut out.",
        OWNER,
        "List both under kms:EncryptionContext:aws:s3:arn, with StringLike: the bucket's ARN (objects under a"
        " Bucket Key) and BUCKET/* (all others).",
    ),
    "S3H-KMS-06": Diagnosis(
        "The bucket's objects are under several KMS keys, and the role may not use all of them.",
        OWNER,
        "Name each key in the role's kms:Decrypt statement, and the role in each key's policy: KEY-ARN.",
    ),
    "S3H-KMS-07": Diagnosis(
        "The objects' KMS key is disabled, scheduled for deletion, or gone.",
        OWNER,
        "aws kms enable-key --key-id KEY-ARN, or cancel its deletion now: aws kms cancel-key-deletion --key-id KEY-ARN.",
    ),
    "S3H-KMS-08": Diagnosis(
        "KMS refuses requests for their rate: the quota of the data owner's account is used up.",
        OWNER,
        "Nothing at once: s3haul slows down by itself. Bucket Keys (for new objects) or a higher quota help.",
    ),
    "S3H-KMS-09": Diagnosis(
        "The object is not stored with the encryption that --sse or --sse-kms-key-id states.",
        OWNER,
        "Re-encrypt the object, or drop the flag.",
    ),
    "S3H-INT-01": Diagnosis(
        "The bytes received do not match the checksum that S3 stores.",
        OWNER,
        "Run again; if it repeats, the stored object is damaged.",
    ),
    "S3H-INT-02": Diagnosis(
        "S3 stores no checksum that can be verified, and --require-checksum is given.",
        OWNER,
        "Copy the object in place with a checksum, or drop --require-checksum.",
    ),
    "S3H-INT-03": Diagnosis(
        "The server's answers do not match the request (status, length, range or ETag).",
        SERVICE,
        "Look for a proxy or gateway between you and S3; run again.",
    ),
    "S3H-INT-04": Diagnosis(
        "The listing names an object by bytes that are no UTF-8 text, with no usable size, or twice.",
        SERVICE,
        "AWS does none of this. The detail shows the bytes; rename the object at the source, or fix the server.",
    ),
    "S3H-INT-05": Diagnosis(
        "A file is no longer what was hauled: its bytes, its size or its place have changed.",
        YOU,
        "Run the same s3haul cp again: it fetches what `s3haul verify` has found damaged. Look after the disk.",
    ),
    "S3H-DST-01": Diagnosis("The destination cannot be used.", YOU, "The message says what the system said."),
    "S3H-DST-02": Diagnosis(
        "The destination is full, or will be: bytes, inodes or quota.",
        YOU,
        "Free some space; the same command resumes.",
    ),
    "S3H-DST-03": Diagnosis("Another run works on this destination.", YOU, "Wait for it to end, or stop it."),
    "S3H-DST-04": Diagnosis(
        "The journal cannot be used: damaged, of another source, of a newer version, or missing.",
        YOU,
        "Use one destination per source. A damaged journal may be removed: the files are then verified again.",
    ),
    "S3H-DST-05": Diagnosis(
        "This file system cannot store the key's name or the object's size.",
        YOU,
        "Haul to another file system.",
    ),
    "S3H-DST-06": Diagnosis(
        "Something that s3haul did not make stands where the file must go.",
        YOU,
        "Move it away, or choose an empty destination.",
    ),
    "S3H-DST-07": Diagnosis(
        "A file that differs stands in its place, and --existing skip is given.",
        YOU,
        "Use --existing overwrite to replace it.",
    ),
    "S3H-DST-08": Diagnosis(
        "This process ran out of file descriptors, or may open too few.",
        YOU,
        "Raise ulimit -n, or lower --concurrency.",
    ),
    "S3H-DST-09": Diagnosis(
        "The file system did not take the file.",
        YOU,
        "The detail says why (permissions, a mount inside the destination, a full directory).",
    ),
    "S3H-DST-12": Diagnosis(
        "The file system refuses something that s3haul can do without.",
        YOU,
        "Nothing, where the message names nothing that you need; otherwise choose another file system.",
    ),
    "S3H-DST-10": Diagnosis(
        "The file system holds A and a for one name, so that keys which differ in case alone collide.",
        YOU,
        "Haul to a file system that tells them apart, if the bucket has such keys.",
    ),
    "S3H-DST-11": Diagnosis(
        "The machine gives this process no further thread, or no more memory.",
        YOU,
        "Raise the limit that the message names (ulimit -u, ulimit -v, the container's), or lower --concurrency.",
    ),
    "S3H-DST-13": Diagnosis(
        "The disk does not answer.",
        YOU,
        "Check the disk or the mount (dmesg, df, the NFS server). The same command resumes.",
    ),
    "S3H-RUN-01": Diagnosis("A signal ended the run.", YOU, "The same command resumes."),
    "S3H-USE-01": Diagnosis("Invalid command-line arguments or settings.", YOU, "See s3haul COMMAND --help."),
    "S3H-BUG-01": Diagnosis(
        "A bug in s3haul.", "the authors of s3haul", "Report it with the output of --log-format json."
    ),
}

# Whose the kinds of policy are that AWS names in a refusal, and where to look; rows of S3H-S3-08.
GUARDS: dict[str, tuple[str, str]] = {
    "service control": (
        ORGANISATION,
        "Let the service control policies of the caller's account allow it, for this role at least.",
    ),
    "resource control": (
        ORGANISATION,
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
        "Look in the bucket's policy for a Deny that meets the role: on endpoint, address or organisation.",
    ),
    "role trust": (OWNER, "Look in the trust policy of ROLE-ARN for a Deny that meets CALLER-ARN."),
    "identity-based": (BOTH, "Look in the policies of the user or role that AWS names for a Deny."),
}

_OF_THE_SOURCE = frozenset(
    {
        *("S3H-NET-02", "S3H-NET-04", "S3H-NET-05", "S3H-NET-06", "S3H-NET-07", "S3H-NET-08", "S3H-NET-09"),
        *("S3H-S3-01", "S3H-S3-11", "S3H-S3-12", "S3H-S3-15", "S3H-S3-16", "S3H-S3-17", "S3H-S3-18"),
        *("S3H-S3-19", "S3H-KMS-08", "S3H-INT-01", "S3H-INT-03", "S3H-INT-05"),
    }
)


def exit_code(diagnosis: str) -> int:
    """The exit code of a run that this id ended: 2 usage, 5 destination, 6 source, 4 access."""
    if diagnosis in {"S3H-CFG-08", "S3H-USE-01"}:
        return 2
    if diagnosis.startswith("S3H-DST"):
        return 5
    return 6 if diagnosis in _OF_THE_SOURCE else 4


def filled(text: str, values: Mapping[str, str]) -> str:
    """`text` with its words in capitals replaced; those without a value stay."""
    for name, value in values.items():
        if value:
            text = text.replace(name, value)
    return text
