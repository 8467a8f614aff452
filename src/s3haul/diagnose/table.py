"""The one diagnosis table: what each id means, who can fix it, how. `s3haul help ID` prints an entry.

The ids are stable: appended to, never renumbered. `symptoms` and `causes` find the entry; errors and the reasons of
objects name it. In a fix, words in capitals (BUCKET, ROLE-ARN, KEY-ARN, CALLER-ARN, REGION) stand for values:
`diagnosis.filled` replaces those that are known.
"""

from s3haul.diagnose.diagnosis import ADMIN, BOTH, NOBODY, OWNER, SERVICE, YOU, Diagnosis

DIAGNOSES: dict[str, Diagnosis] = {
    "S3H-CFG-01": Diagnosis(
        "The profile does not exist.",
        YOU,
        "Name an existing profile. In ~/.aws/config a section is [profile NAME]; only default has no prefix.",
    ),
    "S3H-CFG-02": Diagnosis(
        "The source profile is missing or has no credentials.",
        YOU,
        "Configure an access key, an SSO login or a role in the profile that source_profile names.",
    ),
    "S3H-CFG-03": Diagnosis(
        "The profile has a role_arn but no source_profile or credential_source.",
        YOU,
        "Add source_profile (or credential_source) to the profile.",
    ),
    "S3H-CFG-04": Diagnosis(
        "The profile has both source_profile and credential_source, or its source profiles form a loop.",
        YOU,
        "Keep one of source_profile and credential_source. The chain must end at a profile with credentials.",
    ),
    "S3H-CFG-05": Diagnosis(
        "There are no credentials.",
        YOU,
        "Log in, or name a --profile that has credentials.",
    ),
    "S3H-CFG-06": Diagnosis(
        "The caller is not the one that was expected.",
        YOU,
        "An exported AWS_ACCESS_KEY_ID overrides AWS_PROFILE: unset it, or pass --profile. If the account differs"
        " from the role's, check role_arn and the endpoint.",
    ),
    "S3H-CFG-07": Diagnosis(
        "The AWS configuration file cannot be read, or cannot be changed safely.",
        YOU,
        "Correct the line that is named. An indented line always continues the value above it.",
    ),
    "S3H-CFG-08": Diagnosis(
        "A setting or a name has an invalid value.",
        YOU,
        "Correct it where the message says: a flag, a variable, or a section of a file. An empty variable counts as"
        " not set.",
    ),
    "S3H-CFG-09": Diagnosis(
        "The profile or the environment has a setting that has no effect here.",
        YOU,
        "Nothing, if the default is right for you: the message explains each setting.",
    ),
    "S3H-STS-01": Diagnosis(
        "The credentials are unknown: STS or S3 does not know the access key.",
        YOU,
        "Check that the key is there and active (aws iam list-access-keys). Temporary keys (ASIA...) also need their"
        " session token. A key of another partition (China, GovCloud) or store is unknown, too.",
    ),
    "S3H-STS-02": Diagnosis(
        "The source credentials have expired, so the role cannot be assumed or renewed.",
        YOU,
        "Log in again (for example aws sso login), then run the same command: it resumes.",
    ),
    "S3H-STS-03": Diagnosis(
        "STS refused the role without naming a policy: usually the External ID is missing or different.",
        BOTH,
        "Pass the exact External ID (case and spaces count). If it is right, the role's trust policy does not"
        " name you: see S3H-STS-05. With --owner-profile, s3haul check reads the trust policy and finds the cause.",
    ),
    "S3H-STS-04": Diagnosis(
        "Your own policies do not allow sts:AssumeRole on this role.",
        ADMIN,
        "Ask your administrator to allow sts:AssumeRole on ROLE-ARN in your policies. Check the ARN too.",
    ),
    "S3H-STS-05": Diagnosis(
        "The role's trust policy does not name this caller.",
        OWNER,
        "Add CALLER-ARN, or its account's root with a condition, as Principal of the trust policy of ROLE-ARN.",
    ),
    "S3H-STS-06": Diagnosis(
        "The trust policy names a user or role that was deleted and created again (AIDA... or AROA...).",
        OWNER,
        "Save the caller's ARN in the trust policy of ROLE-ARN again: CALLER-ARN.",
    ),
    "S3H-STS-07": Diagnosis(
        "The role's ARN or another session parameter is wrong, or the role does not exist.",
        YOU,
        "Check the ARN: account, path and name, which is case-sensitive.",
    ),
    "S3H-STS-08": Diagnosis(
        "The role requires MFA, the code is wrong, or an MFA session cannot be renewed.",
        YOU,
        "Set mfa_serial. For runs longer than one session use a source without MFA, or resume with a new code.",
    ),
    "S3H-STS-09": Diagnosis(
        "The External ID has characters or a length that STS does not accept.",
        YOU,
        "It must have 2 to 1224 characters: letters, digits and + = , . @ : / - _",
    ),
    "S3H-STS-10": Diagnosis(
        "The session is longer than the role allows, or not 900 to 43200 seconds.",
        BOTH,
        "Lower --duration-seconds, or let the data owner raise the role's MaxSessionDuration.",
    ),
    "S3H-STS-11": Diagnosis(
        "The source credentials are those of a role, so AWS limits the session to one hour.",
        NOBODY,
        "Nothing: the session is renewed every hour.",
    ),
    "S3H-STS-12": Diagnosis(
        "STS is not active in this region.",
        BOTH,
        "Activate it, or choose another --region.",
    ),
    "S3H-STS-13": Diagnosis(
        "The role can be assumed without its External ID, so it does not protect against the confused deputy problem.",
        OWNER,
        "Require sts:ExternalId in a condition of the trust policy of ROLE-ARN.",
    ),
    "S3H-STS-14": Diagnosis(
        "STS issues sessions of the role, but S3 refuses them.",
        SERVICE,
        "The source credentials are fine. Wait, then check that STS and S3 are of one service and one region (sessions of the "
        "global sts.amazonaws.com are refused in opt-in regions), that --endpoint-url is right, and that no proxy removes the header x-amz-security-token.",
    ),
    "S3H-NET-01": Diagnosis(
        "A signature was refused: the clock is wrong, the secret key is wrong, or a proxy changes requests.",
        YOU,
        "Set the clock (5 minutes difference are too much), then check the secret key and the proxy.",
    ),
    "S3H-NET-02": Diagnosis(
        "The bucket is in another region.",
        YOU,
        "Give the bucket's region with --region; a custom endpoint must be in that region.",
    ),
    "S3H-NET-03": Diagnosis(
        "KMS-encrypted objects need https and signature version 4, or the endpoint is not allowed.",
        YOU,
        "Use https:// and remove signature_version settings other than s3v4. Plain http to another machine"
        " needs --allow-plain-http.",
    ),
    "S3H-NET-04": Diagnosis(
        "A host name cannot be resolved.",
        YOU,
        "Check DNS, --endpoint-url, and the region (eu-west-1, not eu-west-1a). Where only a proxy resolves names,"
        " set HTTPS_PROXY.",
    ),
    "S3H-NET-05": Diagnosis(
        "The server cannot be reached, or connections to it break.",
        YOU,
        "Check network, proxy and --endpoint-url; the same command resumes.",
    ),
    "S3H-NET-06": Diagnosis(
        "The server's certificate is not trusted.",
        YOU,
        "If a private authority signed it, give its PEM file with --ca-bundle. A wrong name means a wrong server;"
        " a wrong version number means a server without TLS.",
    ),
    "S3H-NET-07": Diagnosis(
        "The server redirects. Redirects are never followed, since the other server would get the session token.",
        YOU,
        "Check --region and --endpoint-url.",
    ),
    "S3H-NET-08": Diagnosis(
        "A transfer stalled: the server sent nothing, or too little, for too long.",
        YOU,
        "Check the network; firewalls that drop long or idle connections look like this. The same command resumes.",
    ),
    "S3H-NET-09": Diagnosis(
        "The response is a web page, not from the service, but from a proxy, a filter or a captive portal.",
        ADMIN,
        "Open the endpoint in a browser to see whose page it is. Allow its host there, or set the right proxy in"
        " HTTPS_PROXY (NO_PROXY for none). The policies of the bucket and the role are not the cause.",
    ),
    "S3H-STS-15": Diagnosis(
        "The STS endpoint does not know AssumeRole.",
        YOU,
        "Name the endpoint of STS: --sts-endpoint-url, or sts in a services section. A store without STS is read"
        " with keys of its own, without a role.",
    ),
    "S3H-S3-01": Diagnosis(
        "The bucket or access point does not exist.", YOU, "Check its name, the account and the endpoint."
    ),
    "S3H-S3-02": Diagnosis(
        "The role may not list the bucket (s3:ListBucket).",
        OWNER,
        "Allow s3:ListBucket on the ARN of the bucket, arn:aws:s3:::BUCKET, not on BUCKET/*.",
    ),
    "S3H-S3-03": Diagnosis(
        "The role may list other prefixes of the bucket, but not this one (a condition on s3:prefix).",
        BOTH,
        "Copy a prefix that may be listed (PREFIX), or ask the data owner to extend the s3:prefix condition on"
        " s3:ListBucket.",
    ),
    "S3H-S3-04": Diagnosis(
        "The role may not read the objects (s3:GetObject).",
        OWNER,
        "Allow s3:GetObject on the objects, arn:aws:s3:::BUCKET/*, not on the ARN of the bucket.",
    ),
    "S3H-S3-05": Diagnosis(
        "The object does not exist. Without permission to list the bucket, S3 returns 403 instead of 404.",
        BOTH,
        "Check the key. If the data owner allows s3:ListBucket on arn:aws:s3:::BUCKET, S3 returns 404.",
    ),
    "S3H-S3-06": Diagnosis(
        "The request had a header for server-side encryption, which S3 refuses on reads. s3haul does not send it.",
        YOU,
        "Look for a proxy or gateway that adds x-amz-server-side-encryption.",
    ),
    "S3H-S3-07": Diagnosis(
        "Some objects belong to another account, so the policies of the bucket and the role do not apply to them.",
        OWNER,
        "Set the bucket's Object Ownership to Bucket owner enforced, or copy those objects onto themselves.",
    ),
    "S3H-S3-08": Diagnosis(
        "Another policy denies what the role's policy allows; AWS names its kind.",
        OWNER,
        "Change the policy of that kind. Service control and resource control policies belong to the organisation,"
        " boundaries and resource-based policies to the data owner, endpoint and session policies to you.",
    ),
    "S3H-S3-09": Diagnosis(
        "The bucket is a Requester Pays bucket.",
        YOU,
        "Add --request-payer requester. The account of the role pays.",
    ),
    "S3H-S3-10": Diagnosis(
        "Objects are archived.",
        OWNER,
        "Restore them (s3haul restore DEST writes the plan), then run the same command again. Until then they are"
        " skipped.",
    ),
    "S3H-S3-11": Diagnosis(
        "S3 throttles requests.",
        NOBODY,
        "Nothing: s3haul slows down by itself. If it continues, lower --concurrency or run later.",
    ),
    "S3H-S3-12": Diagnosis(
        "Objects are overwritten while they are read.",
        YOU,
        "Run again when nobody writes to the bucket: a changed object is fetched again, three times at most.",
    ),
    "S3H-S3-13": Diagnosis(
        "The bucket does not belong to the account in --expected-bucket-owner.",
        YOU,
        "Check the account number and the bucket name: someone else may own a bucket with a similar name.",
    ),
    "S3H-S3-14": Diagnosis(
        "All sampled objects are empty, so no byte could be read.",
        NOBODY,
        "Nothing: another request proves the permission to read.",
    ),
    "S3H-S3-15": Diagnosis(
        "The listing is incomplete, so it cannot be guaranteed that every key was copied.",
        SERVICE,
        "Run again. If it repeats, try --list-concurrency 1; if that fails too, the server's listing is faulty. SeaweedFS,"
        " for example, lists directory by directory, so logs/a comes before logs.txt, and loses keys at page ends: copy"
        " its prefixes one by one.",
    ),
    "S3H-S3-16": Diagnosis(
        "The object does not exist, or was deleted after it was listed.",
        YOU,
        "Check the key, which is case-sensitive, or run again to list again.",
    ),
    "S3H-S3-17": Diagnosis(
        "The service failed, also after retries.",
        SERVICE,
        "Run again: the same command resumes. If it goes on for hours, the service's status page may say why.",
    ),
    "S3H-S3-18": Diagnosis(
        "The service refused the request.",
        YOU,
        "Its own words say why. If they do not help, show them to whoever runs the service.",
    ),
    "S3H-S3-19": Diagnosis(
        "No object is selected: the prefix is empty, or the filters exclude everything.",
        YOU,
        "Check bucket, prefix and filters; keys are case-sensitive. With --fail-if-empty this is exit code 6.",
    ),
    "S3H-S3-20": Diagnosis(
        "The server does not know this kind of request.",
        SERVICE,
        "s3haul needs ListObjectsV2, HeadObject, and GetObject with Range, If-Match and x-amz-checksum-mode. Look"
        " whether the endpoint is the right one, and ask its operator for a release that has them.",
    ),
    "S3H-S3-21": Diagnosis(
        "The account or the bucket was closed by AWS.",
        OWNER,
        "Ask AWS Support to open it again (unpaid bills, a suspended account, a report of abuse).",
    ),
    "S3H-S3-22": Diagnosis(
        "S3 Block Public Access refuses what only a public policy allows.",
        OWNER,
        "Name ROLE-ARN or its account as the Principal of the bucket's policy in place of *, or allow it in the"
        " role's own policy. Block Public Access may stay on.",
    ),
    "S3H-S3-23": Diagnosis(
        "The list that names the objects cannot be used as it is.",
        YOU,
        "The message says which line and why; s3haul help sources tells what lists look like.",
    ),
    "S3H-S3-24": Diagnosis(
        "The S3 Inventory report is refused: it is not whole, not this bucket's, or no inventory.",
        YOU,
        "The message says which file and why. Take another report, or haul by the listing.",
    ),
    "S3H-KMS-01": Diagnosis(
        "The role may not decrypt the objects (kms:Decrypt).",
        OWNER,
        "Allow kms:Decrypt on KEY-ARN, not on an alias. A kms:ViaService condition must have the bucket's region.",
    ),
    "S3H-KMS-02": Diagnosis(
        "The key policy does not allow the role to decrypt.",
        OWNER,
        "Add the role to the policy of KEY-ARN, or restore its statement that enables IAM policies.",
    ),
    "S3H-KMS-03": Diagnosis(
        "The key belongs to another account and is not shared with the caller; or the role was not assumed at all.",
        OWNER,
        "The account of KEY-ARN must add the role to the key policy; the role's policy must allow kms:Decrypt too.",
    ),
    "S3H-KMS-04": Diagnosis(
        "A policy for kms:Decrypt tests the caller's address, VPC or endpoint, but S3 makes that call, not the caller.",
        OWNER,
        "Remove aws:SourceIp, aws:SourceVpc and aws:SourceVpce from the statement; use kms:ViaService instead."
        " In a Deny add aws:ViaAWSService = false.",
    ),
    "S3H-KMS-05": Diagnosis(
        "The condition on the encryption context allows only objects with a Bucket Key, or only those without.",
        OWNER,
        "List both under kms:EncryptionContext:aws:s3:arn, with StringLike: the bucket's ARN (objects with a"
        " Bucket Key) and BUCKET/* (all others).",
    ),
    "S3H-KMS-06": Diagnosis(
        "The objects are encrypted with several KMS keys, and the role may not use all of them.",
        OWNER,
        "Name each key in the role's kms:Decrypt statement, and the role in each key's policy: KEY-ARN.",
    ),
    "S3H-KMS-07": Diagnosis(
        "The KMS key of the objects is disabled, scheduled for deletion, or deleted.",
        OWNER,
        "aws kms enable-key --key-id KEY-ARN, or cancel its deletion now: aws kms cancel-key-deletion --key-id KEY-ARN.",
    ),
    "S3H-KMS-08": Diagnosis(
        "KMS throttles requests: the request quota of the data owner's account is used up.",
        OWNER,
        "Nothing is needed now: s3haul slows down by itself. Bucket Keys (for new objects) or a higher quota help.",
    ),
    "S3H-KMS-09": Diagnosis(
        "The object does not have the encryption that --sse or --sse-kms-key-id demands.",
        OWNER,
        "Re-encrypt the object, or remove the flag.",
    ),
    "S3H-KMS-10": Diagnosis(
        "The object is encrypted with a key that only its uploader has (SSE-C).",
        OWNER,
        "Whoever has that key copies the object in place with SSE-KMS or SSE-S3; S3 cannot read it otherwise.",
    ),
    "S3H-INT-01": Diagnosis(
        "The bytes received do not match the checksum that S3 stores.",
        OWNER,
        "Run again; if it repeats, the stored object is damaged.",
    ),
    "S3H-INT-02": Diagnosis(
        "S3 stores no checksum that can be verified, and --require-checksum is given.",
        OWNER,
        "Copy the object onto itself with a checksum, or remove --require-checksum.",
    ),
    "S3H-INT-03": Diagnosis(
        "The server's responses do not match the request (status, length, range or ETag).",
        SERVICE,
        "Look for a proxy or gateway between you and S3; run again.",
    ),
    "S3H-INT-04": Diagnosis(
        "The listing has a key that is not valid UTF-8, an unusable size, or the same key twice.",
        SERVICE,
        "AWS does not do this. The detail shows the bytes; rename the object at the source, or fix the server.",
    ),
    "S3H-INT-05": Diagnosis(
        "A file is no longer what was downloaded: its bytes, its size or its path have changed.",
        YOU,
        "Run the same s3haul cp again: it fetches what `s3haul verify` has found damaged. Check the disk.",
    ),
    "S3H-DST-01": Diagnosis(
        "The destination cannot be used.", YOU, "The message contains the error of the system."
    ),
    "S3H-DST-02": Diagnosis(
        "The destination has too little space: bytes, inodes or quota.",
        YOU,
        "Free some space; the same command resumes.",
    ),
    "S3H-DST-03": Diagnosis("Another run uses this destination.", YOU, "Wait for it to end, or stop it."),
    "S3H-DST-04": Diagnosis(
        "The journal cannot be used: damaged, of another source, of a newer version, or missing.",
        YOU,
        "Use one destination per source. A damaged journal may be removed: the files are then verified again.",
    ),
    "S3H-DST-05": Diagnosis(
        "This file system cannot store the key's name or the object's size.",
        YOU,
        "Copy to another file system.",
    ),
    "S3H-DST-06": Diagnosis(
        "Something that s3haul did not create is at the path of the file.",
        YOU,
        "Move it away, or choose an empty destination.",
    ),
    "S3H-DST-07": Diagnosis(
        "A different file is at its path, and --existing skip is given.",
        YOU,
        "Use --existing overwrite to replace it.",
    ),
    "S3H-DST-08": Diagnosis(
        "This process has too few file descriptors.",
        YOU,
        "Raise ulimit -n, or lower --concurrency.",
    ),
    "S3H-DST-09": Diagnosis(
        "The file system did not accept the file.",
        YOU,
        "The detail says why (permissions, a mount inside the destination, a full directory).",
    ),
    "S3H-DST-12": Diagnosis(
        "The file system does not support something that s3haul can do without.",
        YOU,
        "Nothing, if you do not need what the message names; otherwise choose another file system.",
    ),
    "S3H-DST-10": Diagnosis(
        "The file system does not distinguish upper and lower case, so keys that differ only in case collide.",
        YOU,
        "If the bucket has such keys, copy to a case-sensitive file system.",
    ),
    "S3H-DST-11": Diagnosis(
        "The system refuses another thread, or more memory, to this process.",
        YOU,
        "Raise the limit that the message names (ulimit -u, ulimit -v, or that of the container), or lower"
        " --concurrency.",
    ),
    "S3H-DST-13": Diagnosis(
        "The disk does not answer.",
        YOU,
        "Check the disk or the mount (dmesg, df, the NFS server). The same command resumes.",
    ),
    "S3H-RUN-01": Diagnosis("A signal ended the run.", YOU, "The same command resumes."),
    "S3H-RUN-03": Diagnosis(
        "A file of a cluster run's directory is missing, or not as it was written.",
        YOU,
        "Look whether RUN is on a healthy file system that every worker sees. Make a new plan: what has landed is"
        " verified and not fetched again.",
    ),
    "S3H-RUN-04": Diagnosis(
        "An attempt at a shard was taken for dead, and another one has begun.",
        NOBODY,
        "Nothing: it has stopped. If it happens often, raise --hung-after.",
    ),
    "S3H-RUN-05": Diagnosis(
        "Shards failed on every attempt and were given up; the others are done.",
        YOU,
        "See s3haul cluster report RUN for what they met, mend that, then s3haul cluster resume RUN.",
    ),
    "S3H-RUN-02": Diagnosis(
        "The run has come to the limit of --max-transfer or --max-duration.",
        YOU,
        "The same command goes on where it ended.",
    ),
    "S3H-USE-01": Diagnosis("Invalid command-line arguments or settings.", YOU, "See s3haul COMMAND --help."),
    "S3H-BUG-01": Diagnosis(
        "A bug in s3haul.", "the authors of s3haul", "Report it with the output of --log-format json."
    ),
}
