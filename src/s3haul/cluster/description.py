"""What a run is: `RUN/run.json`, written once, after all of the plan. Everything that a worker must know, and no secret.

Access travels as a reference: the name of a profile or the ARN of a role. Each worker looks its own credentials up. An
External ID is not written down either: it comes from the profile, or from S3HAUL_EXTERNAL_ID on every node.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from s3haul.errors import UsageError
from s3haul.options import (
    AccessOptions,
    Conditions,
    Existing,
    RangeOptions,
    RoleOptions,
    SourceOptions,
    TransferOptions,
)

VERSION = 1
EXTERNAL_ID = "S3HAUL_EXTERNAL_ID"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """`run_id` names the run in temporary files; `index_sha256` and `late_sha256` seal the plan."""

    run_id: str
    created: float
    source: SourceOptions
    destination: str
    force: bool
    node_local: bool  # the destination is another disk on every node
    access: AccessOptions
    external_id_apart: bool  # given beside the profile: every worker needs it in its environment
    transfer: TransferOptions
    endpoint: str
    shards: int
    objects: int
    bytes: int
    filtered: int
    index_sha256: str
    late_sha256: str

    @property
    def url(self) -> str:
        return f"s3://{self.source.bucket}/{self.source.prefix}"


def without_secrets(access: AccessOptions) -> AccessOptions:
    """The reference that is written down. Raises `UsageError` for access that no worker can have by itself."""
    if access.role is not None and access.role.mfa_serial:
        raise UsageError(
            "A worker has nobody to ask for an MFA code.",
            hint="give the workers a source of credentials that needs none: the role of their machines, for one",
        )
    role = access.role and replace(access.role, external_id=None)
    return replace(access, role=role, external_id=None)


def with_external_id(run: RunDescription, environ: Mapping[str, str] = os.environ) -> AccessOptions:
    """The access of a worker. Raises `UsageError` where the External ID is needed and not there."""
    if not run.external_id_apart:
        return run.access
    external_id = environ.get(EXTERNAL_ID)
    if not external_id:
        raise UsageError(
            "The plan was made with an External ID, and this process does not have it.",
            hint=f"set {EXTERNAL_ID} for every worker, or put external_id into the profile and plan again",
        )
    role = run.access.role and replace(run.access.role, external_id=external_id)
    return replace(run.access, role=role, external_id=external_id)


def encode(run: RunDescription) -> bytes:
    return (json.dumps({"version": VERSION, **asdict(run)}, indent=1, default=sorted) + "\n").encode("ascii")


def decode(data: bytes) -> RunDescription:
    """Raises `UsageError` for anything but a description of this version."""
    try:
        found = json.loads(data)
        if (version := found.pop("version")) != VERSION:
            raise UsageError(
                f"The run was planned by another version of s3haul (format {version}, not {VERSION}).",
                hint="use the same version everywhere, or plan again",
            )
        return _built(found)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise UsageError(f"run.json cannot be read: {error}", hint="make a new plan") from error


def _built(found: dict[str, Any]) -> RunDescription:
    access, transfer = found.pop("access"), found.pop("transfer")
    role, ranges = access.pop("role"), transfer.pop("ranges")
    filters, existing = transfer.pop("filters"), transfer.pop("existing")
    conditions = transfer.pop("conditions")
    return RunDescription(
        source=SourceOptions(**found.pop("source")),
        access=AccessOptions(role=RoleOptions(**role) if role else None, **access),
        transfer=TransferOptions(
            filters=tuple((bool(include), str(pattern)) for include, pattern in filters),
            conditions=Conditions(
                **conditions
                | {
                    "storage_classes": frozenset(conditions["storage_classes"]),
                    "regex": tuple(conditions["regex"]),
                }
            ),
            existing=Existing(existing),
            ranges=RangeOptions(**ranges),
            **transfer,
        ),
        **found,
    )
