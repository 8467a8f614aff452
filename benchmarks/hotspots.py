"""Where s3haul spends its time on small objects: py-spy samples it, the two tables are kept as text.

A share of samples times the client CPU of an object gives microseconds; the sampler costs CPU itself, so
the figures say where the time goes, and baseline.py says how much it is.
`python benchmarks/hotspots.py [--quick] [--revision COMMIT]`
"""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

from baseline import HERE, git
from contender import Contender, Task, base_environment, installed
from figures import described
from measure import Cost, measure
from rivals import OURS, of_revision
from scenarios import SCENARIOS, Scenario, quick
from server import Server, memory_directory

PROFILE = Path(__file__).parent / "results" / "profile-small.txt"
RATE = 200
MOST = 25
LONGEST_RUN = 180.0
WAITING = ("Condition.wait ", "_worker (concurrent/futures/")
LOOP = "Runner.run (asyncio/"
PROCESS = "process "
IMPORTING = "<frozen importlib"
ENGINE = ("s3haul.scale.child", "s3haul/scale/child.py")
SAMPLER = Contender(
    name="profiler",
    checks="",
    settings="",
    command=lambda _: [],
    version=("py-spy", "--version"),
    packages=("py-spy",),
)


def count(collapsed: Iterable[str]) -> tuple[Counter[str], Counter[str]]:
    """Samples by self and by cumulative time from lines "frame;frame;... N"; recursion counts once.

    A stack begins with its process and those above it. Threads that wait for work are left out, which py-spy takes for busy, and
    so are the frames above a callback of the event loop, which say the same of every sample.
    """
    own: Counter[str] = Counter()
    cumulative: Counter[str] = Counter()
    for line in collapsed:
        stack, _, samples = line.rpartition(" ")
        frames = [frame for frame in stack.split(";") if not frame.startswith(PROCESS)]
        if not frames or frames[-1].startswith(WAITING):
            continue
        callback = max((at for at, frame in enumerate(frames) if frame.startswith(LOOP)), default=-1)
        own[frames[-1]] += int(samples)
        for frame in set(frames[callback + 1 :]):
            if IMPORTING not in frame:
                cumulative[frame] += int(samples)
    return own, cumulative


def report(stacks: Sequence[str], micros: float, heading: str) -> str:
    """Both tables of the command and of its engine processes; `micros` is the client CPU of one object."""
    counts = {
        "the engine processes": count(stack for stack in stacks if _is_engine(stack)),
        "the command": count(stack for stack in stacks if not _is_engine(stack)),
    }
    total = sum(own.total() for own, _ in counts.values())
    lines = [heading, f"{total} samples; {micros:.0f} us CPU an object"]
    for who, (own, cumulative) in counts.items():
        lines += ["", f"{who}: {100 * own.total() / total:.0f} %"]
        for title, counter in (("self", own), ("cumulative", cumulative)):
            lines += ["", f"{'%':>6} {'us/object':>10}  by {title} time"]
            for frame, samples in counter.most_common(MOST):
                lines.append(f"{100 * samples / total:6.1f} {micros * samples / total:10.1f}  {frame}")
    return "\n".join(lines) + "\n"


def _is_engine(stack: str) -> bool:
    """By the command line of its process, or where the sampler missed that, by what runs in it."""
    return any(mark in stack for mark in ENGINE)


def profile(s3haul: Contender, scenario: Scenario) -> tuple[float, list[str]]:
    """Client CPU microseconds of an object, from a run that nobody watches, and the stacks of a second one."""
    sampler = installed(SAMPLER) / "py-spy"
    with (
        Server(scenario, workers=1) as server,
        tempfile.TemporaryDirectory(prefix="s3haul-bench-copy-", dir=memory_directory()) as scratch,
    ):
        stacks = Path(scratch, "stacks")
        watch = [
            "record",
            "--subprocesses",
            "--function",
            "--format",
            "raw",
            "--rate",
            str(RATE),
            "--output",
            str(stacks),
            "--",
        ]
        unwatched = _run(s3haul, scenario, server, Path(scratch, "unwatched"), [])
        _run(s3haul, scenario, server, Path(scratch, "watched"), [str(sampler), *watch])
        return (unwatched.user + unwatched.system) * 1e6 / scenario.objects, stacks.read_text().splitlines()


def _run(s3haul: Contender, scenario: Scenario, server: Server, scratch: Path, before: list[str]) -> Cost:
    home, work = scratch / "home", scratch / "work"
    for directory in (home, work):
        directory.mkdir(parents=True)
    task = Task(
        scenario=scenario,
        endpoint=server.endpoint("https"),
        ca=server.ca,
        destination=scratch / "copy",
        home=home,
        programs=installed(s3haul),
        keys=(),
    )
    program, *arguments = s3haul.command(task)
    command = [*before, str(task.programs / "python"), str(task.programs / program), *arguments]
    done = measure(command, environment=base_environment(task), directory=work, longest=LONGEST_RUN)
    if done.cost.status != 0:
        raise SystemExit(f"s3haul ended with {done.cost.status}: {done.stderr}")
    return done.cost


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few objects; prints instead of recording")
    parser.add_argument("--revision", default=None, help="a commit of s3haul instead of the working tree")
    arguments = parser.parse_args()
    scenario = quick(SCENARIOS[0]) if arguments.quick else SCENARIOS[0]
    s3haul = OURS
    revision = git("describe", "--always", "--dirty")
    if arguments.revision:
        revision = git("rev-parse", "--short", "--verify", arguments.revision)
        s3haul = of_revision(s3haul, HERE.parent, revision)
    micros, stacks = profile(s3haul, scenario)
    heading = f"s3haul {revision}, {described(asdict(scenario))} over https, py-spy at {RATE} Hz"
    text = report(stacks, micros, heading)
    if arguments.quick:
        print(text)
    else:
        PROFILE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
