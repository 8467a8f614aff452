"""Diagnoses of the destination, the run and the command line: S3H-DST, S3H-RUN, S3H-USE, S3H-BUG."""

from s3haul.diagnose.diagnosis import NOBODY, YOU, Diagnosis

RUN: dict[str, Diagnosis] = {
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
