"""What all botocore sessions have in common, made once: most of what a client costs is here.

The results are those of botocore itself; only the way there is shorter.
"""

import functools
import gzip
import json
import os
from typing import Any

from botocore.hooks import HierarchicalEmitter
from botocore.loaders import JSONFileLoader, Loader
from botocore.session import Session


class _Files(JSONFileLoader):  # type: ignore[misc]
    """botocore's files, parsed into plain dicts: half the time of the OrderedDicts of old."""

    def load_file(self, file_path: str) -> Any:
        for suffix, open_file in ((".json", open), (".json.gz", gzip.open)):
            if os.path.isfile(file_path + suffix):  # noqa: PTH113 - botocore's paths are text
                with open_file(file_path + suffix, "rb") as file:
                    return json.load(file)
        return None


class _Models(Loader):  # type: ignore[misc]
    """botocore's service models, which are found without a look into each of 400 directories."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the parent's signature
        return [name for path in self.search_paths if os.path.isdir(path) for name in os.listdir(path)]  # noqa: PTH112, PTH208 - names only


@functools.cache
def service_models() -> _Models:
    """The parsed models, kept: parsing them anew for each renewal would stall the loop."""
    return _Models(file_loader=_Files())


@functools.cache
def event_handlers() -> HierarchicalEmitter:
    """botocore's own event handlers, registered: every session gets a copy."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers
