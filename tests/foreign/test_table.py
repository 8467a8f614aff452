"""The table of foreign stores in `s3haul help compatibility` is written from what their tests leave out.

`S3HAUL_WRITE_HELP=1 pytest tests/foreign/test_table.py` puts it in place.
"""

import os
from importlib import resources

from foreign.servers import MINISTACK, MOTO, SEAWEEDFS
from foreign.test_contract import MINISTACK_LACKS, MOTO_LACKS, SEAWEEDFS_LACKS
from s3haul.cli.help_topics import topic_text

BEGINNING = "Other stores that every test run copies from, and how they differ from S3:\n"
FOLLOWING = "The embedded AWS of"
STORES = {MINISTACK: MINISTACK_LACKS, SEAWEEDFS: SEAWEEDFS_LACKS, MOTO: MOTO_LACKS}


def table() -> str:
    lines = [BEGINNING]
    for requirement, lacks in STORES.items():
        name, _, version = requirement.split()[0].partition("==")
        store = f"{name.partition('[')[0].removesuffix('-bin')} {version}"
        told = [lack for kind, lack in lacks.items() if kind != "small-parts"]  # which S3 refuses, too
        for row, lack in enumerate(told):
            lines.append(f"  {store if row == 0 else '':<18}{lack}")
    return "\n".join(lines) + "\n"


def test_the_help_has_the_table_of_foreign_stores():
    if os.environ.get("S3HAUL_WRITE_HELP"):
        path = resources.files("s3haul.cli") / "topics" / "compatibility.md"
        before, _, rest = path.read_text().partition(FOLLOWING)
        kept = before.partition(BEGINNING)[0].rstrip()
        path.write_text(f"{kept}\n\n{table()}\n{FOLLOWING}{rest}")
    assert table() in topic_text("compatibility")
