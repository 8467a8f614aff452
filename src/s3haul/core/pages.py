"""One page per diagnosis id: what it means, who can fix it, how. `s3haul help ID` prints it.

The ids are stable: appended to, never renumbered. Objects that were not done have their own table in
`core.reasons`, whose ids share these pages. A test finds every id in the source and asks for its page.
"""

from typing import NamedTuple

YOU, OWNER, BOTH = "you", "data owner", "you or the data owner"


class Page(NamedTuple):
    """`title` is what happened; `fix` is an instruction to `who`."""

    title: str
    who: str
    fix: str


PAGES: dict[str, Page] = {
    "S3H-CFG-01": Page(
        "The profile does not exist.",
        YOU,
        "Name an existing profile. In ~/.aws/config a section is [profile NAME]; only default has no prefix.",
    ),
    "S3H-CFG-02": Page(
        "The source profile is missing or has no credentials.",
        YOU,
        "Give the profile that source_profile names an access key, an SSO login or a role of its own.",
    ),
    "S3H-CFG-03": Page(
        "The profile has a role but says not whose credentials assume it.",
        YOU,
        "Add source_profile (or credential_source) to the profile.",
    ),
    "S3H-CFG-04": Page(
        "The profile contradicts itself: both kinds of source, or profiles that refer to each other in a circle.",
        YOU,
        "Keep one of source_profile and credential_source, and let the chain end at real credentials.",
    ),
    "S3H-CFG-05": Page(
        "There are no credentials.",
        YOU,
        "Log in, or name a --profile that has credentials.",
    ),
    "S3H-CFG-06": Page(
        "The caller is not the one that was expected.",
        YOU,
        "An exported AWS_ACCESS_KEY_ID wins over AWS_PROFILE: unset it, or pass --profile. If the account differs"
        " from the role's, check role_arn and the endpoint.",
    ),
    "S3H-CFG-07": Page(
        "The AWS configuration file cannot be read, or not be changed safely.",
        YOU,
        "Mend the line that is named. An indented line goes on with the value above it, whatever it looks like.",
    ),
    "S3H-STS-01": Page(
        "STS or S3 does not know the access key.",
        YOU,
        "The key may be deleted or inactive. Temporary keys (ASIA...) also need their session token.",
    ),
    "S3H-STS-02": Page(
        "The source credentials have expired, so the role cannot be renewed.",
        YOU,
        "Log in again (for example aws sso login), then run the same command: it resumes.",
    ),
    "S3H-STS-03": Page(
        "STS refused the role without naming a policy: mostly the External ID is missing or different.",
        BOTH,
        "Pass the exact External ID (case and spaces count). If it is right, the role's trust policy does not"
        " name you: see S3H-STS-05.",
    ),
    "S3H-STS-04": Page(
        "Your own policies do not allow sts:AssumeRole on this role.",
        YOU,
        "Have your administrator allow sts:AssumeRole on the role's ARN.",
    ),
    "S3H-STS-05": Page(
        "The role's trust policy does not name this caller.",
        OWNER,
        "Add the caller's ARN, or its account's root with a condition, as Principal of the trust policy.",
    ),
    "S3H-STS-06": Page(
        "The trust policy names a user or role that was deleted and made again (AIDA... or AROA...).",
        OWNER,
        "Save the caller's ARN in the trust policy again.",
    ),
    "S3H-STS-07": Page(
        "The role's ARN or another parameter of the session is wrong; or the role does not exist.",
        YOU,
        "Check the ARN: account, path and name, which is case-sensitive.",
    ),
    "S3H-STS-08": Page(
        "The role wants MFA, or an MFA session cannot be renewed.",
        YOU,
        "Set mfa_serial. For runs longer than one session use a source without MFA, or resume with a new code.",
    ),
    "S3H-STS-09": Page(
        "The External ID has characters or a length that STS does not take.",
        YOU,
        "It has 2 to 1224 characters out of letters, digits and + = , . @ : / - _",
    ),
    "S3H-STS-10": Page(
        "The session is longer than the role allows, or not 900 to 43200 seconds.",
        BOTH,
        "Lower --duration-seconds, or let the data owner raise the role's MaxSessionDuration.",
    ),
    "S3H-STS-11": Page(
        "The source is itself a role, so AWS caps the session at one hour.",
        "nobody",
        "Nothing: the session is renewed every hour.",
    ),
    "S3H-STS-12": Page(
        "STS is not active in this region.",
        BOTH,
        "Activate it, or choose another --region.",
    ),
    "S3H-NET-01": Page(
        "A signature was refused: the clock is off, the secret is wrong, or a proxy rewrites requests.",
        YOU,
        "Set the clock (5 minutes are too much), then check the secret and the proxy.",
    ),
    "S3H-NET-02": Page("The bucket is in another region.", YOU, "Give the bucket's region with --region."),
    "S3H-NET-03": Page(
        "KMS-encrypted objects need https and signature version 4, or the endpoint may not be used.",
        YOU,
        "Use https:// and remove signature_version settings other than s3v4. Plain http beyond this machine"
        " needs --allow-plain-http.",
    ),
    "S3H-NET-04": Page("A host name cannot be resolved.", YOU, "Check DNS, the region and --endpoint-url."),
    "S3H-NET-05": Page(
        "The server cannot be reached, or not for long enough.",
        YOU,
        "Check network, proxy and --endpoint-url; the same command resumes.",
    ),
    "S3H-NET-06": Page(
        "The server's certificate was refused.",
        YOU,
        "If a private authority signed it, name its PEM file with --ca-bundle. A wrong name means a wrong server.",
    ),
    "S3H-NET-07": Page(
        "The server redirects. Redirects are never followed, since the session token would travel along.",
        YOU,
        "Check --region and --endpoint-url.",
    ),
    "S3H-NET-08": Page(
        "The server sent nothing, or too little, for too long.",
        YOU,
        "Check the network; the same command resumes.",
    ),
    "S3H-S3-01": Page("The bucket does not exist.", YOU, "Check its name, the account and the endpoint."),
    "S3H-S3-02": Page(
        "The role may not list the bucket.",
        OWNER,
        "Allow s3:ListBucket on arn:aws:s3:::BUCKET: the bucket's own ARN, not BUCKET/*.",
    ),
    "S3H-S3-03": Page(
        "The role may list a part of the bucket only.",
        BOTH,
        "Haul the prefix that the role may list; or have the s3:prefix or s3:delimiter condition on s3:ListBucket"
        " widened.",
    ),
    "S3H-S3-08": Page(
        "A policy denies the access.",
        OWNER,
        "The service's own words name the kind of policy (service control, boundary, session, endpoint, bucket).",
    ),
    "S3H-S3-15": Page(
        "The listing is incomplete, so nobody could say that every key was hauled.",
        "the service",
        "Run again. If it repeats, the server's listing is faulty. SeaweedFS, for one, lists directory by directory,"
        " so that logs/a comes before logs.txt, and loses keys at page ends: haul its prefixes one by one.",
    ),
    "S3H-KMS-04": Page(
        "A policy tests the caller's address, VPC or endpoint for kms:Decrypt, and S3 makes that call.",
        OWNER,
        "Take aws:SourceIp, aws:SourceVpc and aws:SourceVpce out of the statement; kms:ViaService narrows it"
        " instead. In a Deny add aws:ViaAWSService = false.",
    ),
    "S3H-KMS-05": Page(
        "The condition on the encryption context has one form only, so old or new objects are shut out.",
        OWNER,
        "List both under kms:EncryptionContext:aws:s3:arn, with StringLike: the bucket's ARN (objects under a"
        " Bucket Key) and BUCKET/* (all others).",
    ),
    "S3H-DST-01": Page("The destination cannot be used.", YOU, "The message says what the system said."),
    "S3H-DST-02": Page(
        "The destination is full: bytes, inodes or quota.", YOU, "Free some space; the same command resumes."
    ),
    "S3H-DST-03": Page("Another run works on this destination.", YOU, "Wait for it to end, or stop it."),
    "S3H-DST-04": Page(
        "The journal cannot be used: damaged, of another source, of a newer version, or missing.",
        YOU,
        "Use one destination per source. A damaged journal may be removed: the files are then verified again.",
    ),
    "S3H-DST-08": Page(
        "This process ran out of file descriptors.", YOU, "Raise ulimit -n, or lower --concurrency."
    ),
    "S3H-RUN-02": Page(
        "The processes that fetch objects kept dying.",
        YOU,
        "Look for a lack of memory (dmesg names what the kernel killed), or run with --processes 1; the same "
        "command resumes.",
    ),
    "S3H-RUN-01": Page("A signal ended the run.", YOU, "The same command resumes."),
    "S3H-USE-01": Page("The command line cannot be meant.", YOU, "See s3haul COMMAND --help."),
    "S3H-BUG-01": Page(
        "A bug in s3haul.", "the authors of s3haul", "Report it with the output of --log-format json."
    ),
}
