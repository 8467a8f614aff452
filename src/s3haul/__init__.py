"""s3haul: copy an SSE-KMS encrypted bucket of another account to local disk, verified and resumable.

From Python: `await s3haul.download(SourceOptions(...), DestinationOptions(...))`, see `s3haul.api`.
Names are imported at their first use.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from s3haul.api.check import CheckReport, check
    from s3haul.api.download import download, download_events
    from s3haul.audit import verify
    from s3haul.core.stats import Stats
    from s3haul.errors import S3HaulError
    from s3haul.options import (
        AccessOptions,
        Conditions,
        DestinationOptions,
        Existing,
        ListForm,
        ObjectList,
        RangeOptions,
        RoleOptions,
        SourceOptions,
        TransferOptions,
    )

__version__ = "0.1.0"

__all__ = [
    "AccessOptions",
    "CheckReport",
    "Conditions",
    "DestinationOptions",
    "Existing",
    "ListForm",
    "ObjectList",
    "RangeOptions",
    "RoleOptions",
    "S3HaulError",
    "SourceOptions",
    "Stats",
    "TransferOptions",
    "check",
    "download",
    "download_events",
    "verify",
]


_HOMES = {
    "CheckReport": "s3haul.api.check",
    "S3HaulError": "s3haul.errors",
    "Stats": "s3haul.core.stats",
    "check": "s3haul.api.check",
    "download": "s3haul.api.download",
    "download_events": "s3haul.api.download",
    "verify": "s3haul.audit",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "s3haul.options")), name)
