"""The server as a process of its own: announces itself in a file, stops on SIGTERM or with its parent."""

import argparse
import json
import os
import signal
import stat
import sys
import threading
from pathlib import Path

from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.server import DemoServer

_POLL_SECONDS = 0.5


def main(arguments: list[str] | None = None) -> None:
    given = _parser().parse_args(arguments)
    parent = os.getppid()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    cloud = seed.cloud_for(given.seed)
    cloud.session_seconds = given.session_seconds
    with DemoServer(cloud, tls=not given.http, port=given.port) as server:
        _announce(given.announce, server)
        if stat.S_ISFIFO(os.fstat(0).st_mode):
            threading.Thread(target=_stop_at_end_of_input, args=(stop,), daemon=True).start()
        while not stop.wait(_POLL_SECONDS) and os.getppid() == parent:
            pass


def announcement(server: DemoServer) -> dict[str, object]:
    """What a client needs to use the standard cloud."""
    cloud: Cloud = server.cloud
    user = cloud.users[seed.USER_B_KEY_ID]
    return {
        "endpoint_url": server.endpoint_url,
        "ca_path": server.ca_path,
        "region": cloud.region,
        "credentials": {"access_key_id": user.access_key_id, "secret_access_key": user.secret},
        "role_arn": seed.ROLE_ARN,
        "external_id": seed.EXTERNAL_ID,
        "bucket": seed.BUCKET,
        "kms_key_arn": seed.KMS_KEY_ARN,
        "objects": len(cloud.buckets[seed.BUCKET].objects),
    }


def _announce(path: Path, server: DemoServer) -> None:
    """The file appears whole: written beside and renamed."""
    temporary = path.with_name(path.name + ".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(announcement(server), file)
    temporary.replace(path)


def _stop_at_end_of_input(stop: threading.Event) -> None:
    while os.read(0, 4096):
        continue
    stop.set()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m s3haul.demo.server", description=sys.modules[__name__].__doc__
    )
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--announce", type=Path, required=True, help="JSON file to write when ready")
    parser.add_argument("--seed", default="demo", help="demo, empty or bench:COUNT:SIZE")
    parser.add_argument("--session-seconds", type=float, help="how long sessions really last")
    parser.add_argument("--http", action="store_true", help="no TLS (KMS objects are refused)")
    return parser
