"""Which calls a fault rule selects, and the control API that sets rules over HTTP."""

import json
from pathlib import Path
from typing import Any

import pytest

from demo.harness import Clients
from s3haul.demo import seed
from s3haul.demo.cloud import Cloud
from s3haul.demo.faults import EFFECTS, FaultPlan
from s3haul.demo.server import DemoServer

KEY = f"/{seed.BUCKET}/k"
BODY = b"the body"

SELECTED = [
    ({"first": 2}, [1, 2]),
    ({"since": 4}, [4, 5, 6]),
    ({"exactly": 3}, [3]),
    ({"every": 2}, [2, 4, 6]),
    ({"since": 3, "every": 3}, [3, 6]),
    ({}, [1, 2, 3, 4, 5, 6]),
]


@pytest.mark.parametrize(("when", "hits"), SELECTED)
def test_a_rule_selects_calls_by_number(when: dict[str, int], hits: list[int]) -> None:
    plan = FaultPlan()
    rule = plan.add("close", **when)
    assert [n for n in range(1, 7) if plan.match("GetObject", "k")] == hits
    assert (rule.seen, rule.hits) == (6, len(hits))


def test_a_rule_selects_calls_by_operation_and_key() -> None:
    plan = FaultPlan()
    plan.add("close", operation="HeadObject")
    plan.add("stall", key="a*b")
    plan.add("delay", glob="logs/*.gz")
    asked = [("HeadObject", "x"), ("GetObject", "a*b"), ("GetObject", "axb"), ("GetObject", "logs/1/2.gz")]
    assert [[rule.effect for rule in plan.match(*call)] for call in asked] == [
        ["close"],
        ["stall"],
        [],
        ["delay"],
    ]


def test_calls_that_do_not_match_are_not_counted() -> None:
    plan = FaultPlan()
    plan.add("close", key="k", exactly=2)
    calls = ["x", "k", "x", "k", "k"]
    assert [bool(plan.match("GetObject", key)) for key in calls] == [False, False, False, True, False]


def test_an_unknown_effect_or_parameter_is_refused() -> None:
    plan = FaultPlan()
    with pytest.raises(ValueError, match="no such effect"):
        plan.add("explode")
    with pytest.raises(ValueError, match="takes no after"):
        plan.add("delay", after=1)


def test_faults_are_set_read_and_reset_over_http(cloud: Cloud, server: DemoServer, clients: Clients) -> None:
    cloud.put(seed.BUCKET, "k", BODY)
    rules = [{"effect": "error", "operation": "GetObject", "status": 503, "code": "SlowDown"}]
    assert control(clients, "POST", "faults", json.dumps(rules).encode()) == {"added": 1}
    assert clients.raw("GET", KEY).code == "SlowDown"
    assert clients.raw("HEAD", KEY).status == 200
    assert server.calls[0].effects == ("error",)
    summary = control(clients, "GET", "calls")
    assert summary["operations"] == {"GetObject": 1, "HeadObject": 1}
    assert summary["statuses"] == {"503": 1, "200": 1}
    assert control(clients, "POST", "reset") == {}
    assert clients.raw("GET", KEY).body == BODY
    assert control(clients, "GET", "calls")["bytes_sent"] == len(BODY)
    assert "no such effect" in control(clients, "POST", "faults", b'{"effect": "explode"}')["error"]
    assert "error" in control(clients, "POST", "faults", b"no json")
    assert "error" in control(clients, "GET", "else")


def control(clients: Clients, method: str, name: str, body: bytes = b"") -> dict[str, Any]:
    answer = clients.send(method, f"/_demo/{name}", {"Host": clients.netloc}, body)
    got: dict[str, Any] = json.loads(answer.body)
    return got


def test_every_effect_has_a_test() -> None:
    here = Path(__file__).parent
    text = "".join((here / f"test_{name}.py").read_text() for name in ("faults", "faulty_listings"))
    assert [effect for effect in EFFECTS if f'"{effect}"' not in text] == []
