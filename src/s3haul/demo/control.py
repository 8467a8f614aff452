"""The control API under /_demo/, for a server that runs in a process of its own. Loopback clients only.

GET calls (counters), POST faults (a rule or a list of rules as in `faults`), POST reset (faults and calls).
"""

import json
from ipaddress import ip_address
from typing import Any

from s3haul.demo.calls import CallLog
from s3haul.demo.content import Literal
from s3haul.demo.faults import FaultPlan
from s3haul.demo.messages import Answer, Request


def serve_control(faults: FaultPlan, log: CallLog, request: Request) -> Answer:
    if not ip_address(request.peer).is_loopback:
        return _json(403, {"error": "loopback only"})
    match (request.method, request.path.removeprefix("/_demo/")):
        case ("GET", "calls"):
            return _json(200, log.summary())
        case ("POST", "faults"):
            return _add_faults(faults, request.body)
        case ("POST", "reset"):
            faults.clear()
            log.clear()
            return _json(200, {})
        case _:
            return _json(404, {"error": "GET calls, POST faults, POST reset"})


def _add_faults(faults: FaultPlan, body: bytes) -> Answer:
    try:
        given = json.loads(body)
        rules = [faults.add(**rule) for rule in (given if isinstance(given, list) else [given])]
    except (TypeError, ValueError) as error:
        return _json(400, {"error": str(error)})
    return _json(200, {"added": len(rules)})


def _json(status: int, value: dict[str, Any]) -> Answer:
    return Answer(status, [("Content-Type", "application/json")], Literal(json.dumps(value).encode()))
