"""Where large bodies are written: on the loop only while the disk is fast."""

from s3haul.engine.pace import PENANCE, SLOW, TRIALS, WritePace

MIB = 1 << 20


def quick(pace, times):
    for _ in range(times):
        pace.observe(MIB, 0.0005)


def test_the_loop_writes_after_a_few_quick_writes_in_threads():
    pace = WritePace()
    quick(pace, TRIALS - 1)
    assert not pace.on_loop
    quick(pace, 1)
    assert pace.on_loop


def test_a_slow_disk_is_left_to_threads():
    pace = WritePace()
    for _ in range(100):
        quick(pace, TRIALS - 1)
        pace.observe(MIB, 0.01)
    assert not pace.on_loop


def test_one_write_that_holds_the_loop_up_sends_the_next_ones_to_threads():
    pace = WritePace()
    quick(pace, TRIALS)
    pace.observe(MIB, SLOW / 2)
    assert pace.on_loop
    pace.observe(MIB, 2 * SLOW)
    quick(pace, PENANCE - 1)
    assert not pace.on_loop
    quick(pace, 1)
    assert pace.on_loop
