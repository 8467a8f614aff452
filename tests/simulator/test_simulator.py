"""The promises P1 to P4, P6 and P7 hold in simulated runs. `make simulate SEED=n` plays one seed again."""

import os

import pytest

from simulator.runs import play

SEEDS = int(os.environ.get("S3HAUL_SEEDS", "300"))
FIRST = int(os.environ.get("S3HAUL_FIRST_SEED", "0"))
BLOCK = 25


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, BLOCK))
def test_p1_to_p4_and_p6_hold_for_all_faults_and_at_every_end_of_a_run(first):
    for seed in range(first, first + BLOCK):
        play(seed)


def test_one_seed_gives_one_run_and_another_seed_another_one():
    traces = [play(seed).trace for seed in (11, 11, 12)]
    assert traces[0] == traces[1] != traces[2]
