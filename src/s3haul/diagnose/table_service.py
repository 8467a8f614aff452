"""Diagnoses of the network, the bucket and its objects: S3H-NET, S3H-S3, S3H-INT."""

from s3haul.diagnose.diagnosis import ADMIN, BOTH, NOBODY, ORGANISATION, OWNER, SERVICE, YOU, Diagnosis

OF_SERVICE: dict[str, Diagnosis] = {
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
        "The role may not read the objects (s3:GetObject, or s3:GetObjectVersion if a version is requested).",
        OWNER,
        "Allow s3:GetObject on the objects, arn:aws:s3:::BUCKET/*, not on the ARN of the bucket; for --version-id,"
        " --at, --all-versions and lists of versions, allow s3:GetObjectVersion.",
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
        "The message says which line and why; s3haul help sources describes the forms of lists.",
    ),
    "S3H-S3-24": Diagnosis(
        "The S3 Inventory report is refused: it is incomplete, of another bucket, or not an inventory.",
        YOU,
        "The message says which file and why. Use another report, or the bucket's listing.",
    ),
    "S3H-S3-25": Diagnosis(
        "The role may not list the versions of the bucket (s3:ListBucketVersions).",
        OWNER,
        "Allow s3:ListBucketVersions on the ARN of the bucket, arn:aws:s3:::BUCKET, and s3:GetObjectVersion on the"
        " objects, arn:aws:s3:::BUCKET/*: s3haul policy --versions prints both.",
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
}


# Kinds of policies that limit what other policies allow: who owns each, and where to look. They refine S3H-S3-08.
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
        "Look in the bucket's policy for a Deny that applies to the role: on endpoint, address or organisation.",
    ),
    "role trust": (OWNER, "Look in the trust policy of ROLE-ARN for a Deny that applies to CALLER-ARN."),
    "identity-based": (BOTH, "Look in the policies of the user or role that AWS names for a Deny."),
}
