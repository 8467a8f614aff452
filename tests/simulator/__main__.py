"""`python -m simulator SEED`: one seed again, or `--count N` from it on.
Says how many runs a minute that were."""

import argparse
import time

from simulator.runs import play


def main() -> int:
    parser = argparse.ArgumentParser(prog="simulator", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("--count", type=int, default=1)
    arguments = parser.parse_args()
    began, broken, runs = time.monotonic(), 0, 0
    for seed in range(arguments.seed, arguments.seed + arguments.count):
        try:
            played = play(seed)
        except AssertionError as error:
            broken += 1
            print(error, flush=True)
        else:
            runs += len(played.runs)
            if arguments.count == 1:
                print(played.scenario)
                for run in played.runs:
                    print(
                        f"{run.seconds:.1f} s of virtual time, {run.steps:,} steps, {run.stats.done} done: {run.error!r}"
                    )
                print(f"trace {played.trace}")
    seconds = time.monotonic() - began
    print(
        f"{arguments.count:,} seeds, {runs:,} runs, {60 * runs / seconds:,.0f} runs a minute, {broken} broke a promise"
    )
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
