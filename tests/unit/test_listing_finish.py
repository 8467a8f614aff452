"""Outcomes are recorded first, then emitted as events."""

from types import SimpleNamespace

from journals import done, failed
from s3haul.engine.target import finish
from s3haul.events import Finished


def test_a_whole_batch_is_recorded_before_its_events_are_emitted():
    seen = []
    ctx = SimpleNamespace(journal=SimpleNamespace(record_all=seen.append), emit=seen.append)
    batch = [done("a"), failed("b")]
    finish(ctx, batch)
    assert seen == [batch, Finished(batch[0]), Finished(batch[1])]
