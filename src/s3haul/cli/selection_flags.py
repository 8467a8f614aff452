"""The flags of the panel Selection: which objects are copied, and the limits of a run. A part of `flags`.

`selection`, `lists` and `parsing` convert their values to options.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ListFormats(StrEnum):
    """The lists that `--files-from` takes."""

    KEYS = "keys"
    CSV = "csv"
    MANIFEST = "manifest"
    BATCH_REPORT = "batch-report"


class Encodings(StrEnum):
    """How the keys of a list are written."""

    RAW = "raw"
    URL = "url"


_WHAT = "Selection"
_OUT = "Output"

Recursive = Annotated[
    bool,
    typer.Option(
        "--recursive", "-r", "-R", help="SOURCE is a prefix: copy everything below it.", rich_help_panel=_WHAT
    ),
]
Include = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Copy these; the last match decides.", rich_help_panel=_WHAT),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Do not copy these; the last match decides.", rich_help_panel=_WHAT),
]
IncludeFrom = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="As --include for each line of it.", rich_help_panel=_WHAT),
]
ExcludeFrom = Annotated[
    list[str] | None,
    typer.Option(metavar="FILE", help="As --exclude for each line of it.", rich_help_panel=_WHAT),
]
MinSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Objects of so many bytes or more: 1, 10MB.", rich_help_panel=_WHAT),
]
MaxSize = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Objects of so many bytes or less.", rich_help_panel=_WHAT)
]
NewerThan = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Changed since: 7d, 36h, 2026-01-31.", rich_help_panel=_WHAT),
]
OlderThan = Annotated[str | None, typer.Option(metavar="TIME", help="Changed before.", rich_help_panel=_WHAT)]
StorageClass = Annotated[
    list[str] | None,
    typer.Option(metavar="CLASS", help="Stored so: STANDARD, GLACIER, ...", rich_help_panel=_WHAT),
]
Regex = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Keys in which this is found.", rich_help_panel=_WHAT),
]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Objects that this list names; - reads it from stdin.", rich_help_panel=_WHAT
    ),
]
FilesFormat = Annotated[
    ListFormats, typer.Option(help="What --files-from is; see help sources.", rich_help_panel=_WHAT)
]
FilesEncoding = Annotated[
    Encodings | None,
    typer.Option(help="Of its keys: raw, or url (the usual of CSV).", rich_help_panel=_WHAT),
]
InventoryReport = Annotated[
    str | None,
    typer.Option(
        "--inventory",
        metavar="MANIFEST",
        help="Objects of an S3 Inventory: its manifest.json, local or s3://.",
        rich_help_panel=_WHAT,
    ),
]
VersionId = Annotated[
    str | None,
    typer.Option("--version-id", metavar="ID", help="This version of the one object.", rich_help_panel=_WHAT),
]
AllVersions = Annotated[
    bool,
    typer.Option("--all-versions", help="Every version of every key, each a file.", rich_help_panel=_WHAT),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="The versions of then: 36h, 7d, 2026-01-31T12:00Z.",
        rich_help_panel=_WHAT,
    ),
]
PlanFile = Annotated[
    str | None,
    typer.Option("--plan", metavar="FILE", help="Objects of this plan (--save-plan).", rich_help_panel=_WHAT),
]
Reconcile = Annotated[
    bool,
    typer.Option(
        "--reconcile", help="List again at the end: what came, changed, went?", rich_help_panel=_WHAT
    ),
]
SavePlan = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what --dryrun found, for --plan.", rich_help_panel=_OUT),
]
MaxTransfer = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE", help="End in order before more than this is fetched.", rich_help_panel=_WHAT
    ),
]
MaxDuration = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="End in order after 30m, 8h, ...", rich_help_panel=_WHAT),
]
RequestPayer = Annotated[
    str | None, typer.Option(metavar="requester", help="Pay for the requests.", rich_help_panel=_WHAT)
]
BucketOwner = Annotated[
    str | None,
    typer.Option("--expected-bucket-owner", help="Account that must own the bucket.", rich_help_panel=_WHAT),
]
PageSize = Annotated[int, typer.Option(min=1, max=1000, help="Keys per listing page.", rich_help_panel=_WHAT)]
ForceGlacier = Annotated[
    bool, typer.Option("--force-glacier-transfer", help="Try archived objects too.", rich_help_panel=_WHAT)
]
FailIfEmpty = Annotated[
    bool, typer.Option("--fail-if-empty", help="Exit 6 if no object is selected.", rich_help_panel=_WHAT)
]
ListConcurrency = Annotated[
    int,
    typer.Option(
        min=1,
        max=1024,
        help="List requests at a time, at most; 1: in the order of keys.",
        rich_help_panel=_WHAT,
    ),
]
MaxRps = Annotated[
    float | None,
    typer.Option(
        "--max-rps", min=0.01, metavar="N", help="Maximum requests per second.", rich_help_panel=_WHAT
    ),
]
MaxKmsRps = Annotated[
    float | None,
    typer.Option(
        "--max-kms-rps",
        min=0.01,
        metavar="N",
        help="Requests a second that cost a KMS call, at most.",
        rich_help_panel=_WHAT,
    ),
]
BwLimit = Annotated[
    str | None,
    typer.Option(
        "--bwlimit",
        metavar="RATE",
        help="Maximum bytes per second: 500K, 10MB/s, 80Mb/s.",
        rich_help_panel=_WHAT,
    ),
]
