"""The flags of the panel Selection: which objects are copied, and the limits of a run. A part of `flags`.

`selection` and `parsing` convert their values to options.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class ListFormats(StrEnum):
    """The formats of `--files-from`."""

    KEYS = "keys"
    CSV = "csv"
    MANIFEST = "manifest"
    BATCH_REPORT = "batch-report"


class Encodings(StrEnum):
    """The encodings of keys in a list."""

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
    typer.Option(
        metavar="FILE", help="Like --include, with one pattern per line of this file.", rich_help_panel=_WHAT
    ),
]
ExcludeFrom = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE", help="Like --exclude, with one pattern per line of this file.", rich_help_panel=_WHAT
    ),
]
MinSize = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Objects of this size or larger: 1, 10MB.", rich_help_panel=_WHAT),
]
MaxSize = Annotated[
    str | None, typer.Option(metavar="SIZE", help="Objects of this size or smaller.", rich_help_panel=_WHAT)
]
NewerThan = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Objects modified since: 7d, 36h, 2026-01-31.", rich_help_panel=_WHAT),
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="TIME", help="Objects modified before.", rich_help_panel=_WHAT)
]
StorageClass = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CLASS", help="Objects in this storage class: STANDARD, GLACIER, ...", rich_help_panel=_WHAT
    ),
]
Regex = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN", help="Keys in which this regular expression matches.", rich_help_panel=_WHAT
    ),
]
FilesFrom = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Only the objects in this list; - reads it from stdin.", rich_help_panel=_WHAT
    ),
]
FilesFormat = Annotated[
    ListFormats, typer.Option(help="Format of --files-from; see s3haul help sources.", rich_help_panel=_WHAT)
]
FilesEncoding = Annotated[
    Encodings | None,
    typer.Option(help="Encoding of its keys: raw, or url (default for CSV).", rich_help_panel=_WHAT),
]
InventoryReport = Annotated[
    str | None,
    typer.Option(
        "--inventory",
        metavar="MANIFEST",
        help="Objects of an S3 Inventory report: its manifest.json, local or s3://.",
        rich_help_panel=_WHAT,
    ),
]
VersionId = Annotated[
    str | None,
    typer.Option("--version-id", metavar="ID", help="This version of the one object.", rich_help_panel=_WHAT),
]
AllVersions = Annotated[
    bool,
    typer.Option(
        "--all-versions", help="Every version of every key, each in its own file.", rich_help_panel=_WHAT
    ),
]
At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="The versions of this time: 36h, 7d, 2026-01-31T12:00Z.",
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
        "--reconcile", help="List again at the end: what was added, changed, deleted?", rich_help_panel=_WHAT
    ),
]
SavePlan = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write the plan of --dryrun, for --plan.", rich_help_panel=_OUT),
]
MaxTransfer = Annotated[
    str | None,
    typer.Option(metavar="SIZE", help="Stop before more than this is downloaded.", rich_help_panel=_WHAT),
]
MaxDuration = Annotated[
    str | None,
    typer.Option(metavar="TIME", help="Stop after 30m, 8h, ...", rich_help_panel=_WHAT),
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
        help="Maximum number of parallel list requests; 1 keeps the order of keys.",
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
        help="Maximum requests per second that cost a KMS call.",
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
