"""The one diagnosis table: what each id means, who can fix it, how. `s3haul help ID` prints an entry.

The ids are stable: appended to, never renumbered. `symptoms` and `causes` find the entry; errors and the reasons of
objects name it. In a fix, words in capitals (BUCKET, ROLE-ARN, KEY-ARN, CALLER-ARN, REGION) stand for values:
`diagnosis.filled` replaces those that are known.
"""

from s3haul.diagnose.diagnosis import Diagnosis
from s3haul.diagnose.table_access import ACCESS
from s3haul.diagnose.table_run import RUN
from s3haul.diagnose.table_service import OF_SERVICE

DIAGNOSES: dict[str, Diagnosis] = ACCESS | OF_SERVICE | RUN
