"""`make convergence TRIALS=N SEED=S`: random trials with faults; 1 when anything diverged.

Trial number n has the seed S + n. Every tenth seed is a trial of the whole stack with processes killed, the others are of the
parts (replicator, silver, staging, merge), each on its real engine; the two kinds run side by side. A failing trial prints the
command that plays it again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import sys
import time
from collections import Counter
from pathlib import Path
from queue import Empty
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from lanes import LANES, Lane
from trial_report import Report

AGAIN = "python tests/convergence/converge.py --plot --only {seeds}"
WHOLE_STACK = 10  # every so manieth seed
MANY = 40  # trials of the parts, from which a second set of engines is worth its start


def main(words: list[str] | None = None) -> int:
    """Runs the trials; the exit code."""
    options = _options(words)
    started = time.monotonic()
    reports: list[Report] = []
    for report in side_by_side(options):
        reports.append(report)
        tell(report, options.plot)
    summary(reports, time.monotonic() - started)
    if options.report:
        Path(options.report).write_text(json.dumps([vars(report) for report in reports]))
    missing = 0 if options.seconds or options.first else len(chosen(options)) - len(reports)
    if missing:
        print(f"{missing} trials did not take place")
    return 1 if missing or any(report.problems for report in reports) else 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", help="exactly these seeds, with commas")
    parser.add_argument("--seconds", type=float, default=0, help="begin no trial after so many (0: no limit)")
    parser.add_argument("--parts", action="store_true", help="trials of the parts only, whatever the seed")
    parser.add_argument("--first", action="store_true", help="stop at the first divergence")
    parser.add_argument("--plot", action="store_true", help="print what happened in each trial")
    parser.add_argument("--report", help="write every trial's report to this file, as JSON")
    return parser.parse_args(words)


def side_by_side(options: argparse.Namespace) -> Any:
    """A process for each lane of trials; their reports as they come."""
    context = multiprocessing.get_context("spawn")
    told, stop = context.Queue(), context.Event()
    deadline = time.time() + options.seconds if options.seconds else None
    lanes = [
        context.Process(target=LANES[kind], args=(Lane(kind, found, deadline), told, stop))
        for kind, found in _shared(options)
        if found
    ]
    for lane in lanes:
        lane.start()
    while any(lane.is_alive() for lane in lanes) or not told.empty():
        try:
            report = told.get(timeout=0.5)
        except Empty:
            continue
        if report.problems and options.first:
            stop.set()
        yield report
    for lane in lanes:
        lane.join()


def chosen(options: argparse.Namespace) -> list[int]:
    """The seeds to be played."""
    if options.only:
        return [int(seed) for seed in options.only.split(",")]
    return list(range(options.seed, options.seed + options.trials))


def _shared(options: argparse.Namespace) -> list[tuple[str, list[int]]]:
    """The seeds of each lane: those of the whole stack have their own, those of the parts share two when they are many."""
    seeds = chosen(options)
    stack = [] if options.parts else [seed for seed in seeds if seed % WHOLE_STACK == 0]
    parts = [seed for seed in seeds if seed not in stack]
    lanes = 2 if len(parts) >= MANY else 1
    return [*(("parts", parts[lane::lanes]) for lane in range(lanes)), ("stack", stack)]


def tell(report: Report, plot: bool = False) -> None:
    """One line a trial; of one that diverged everything."""
    state = "DIVERGED" if report.problems else "equal"
    line = f"seed {report.seed} ({report.kind}): {state}, {report.compared} rows compared, {report.changes} changes"
    print(
        f"{line}, {report.runs} runs, {sum(report.faults.values())} faults, {report.seconds:.1f} s",
        flush=True,
    )
    if plot or report.problems:
        print("    " + "\n    ".join(report.plot))
    for problem in report.problems:
        print(f"  {problem}")
    if report.problems:
        seeds = ",".join(map(str, [*report.before, report.seed]))
        print(f"  again: {AGAIN.format(seeds=seeds)}", flush=True)


def summary(reports: list[Report], seconds: float) -> None:
    """What all of them did and found."""
    faults, events = Counter[str](), Counter[str]()
    for report in reports:
        faults += report.faults
        events += report.events
    diverged = [report.seed for report in reports if report.problems]
    kinds = Counter(report.kind for report in reports)
    print(f"\ntrials {len(reports)} ({', '.join(f'{n} of the {kind}' for kind, n in sorted(kinds.items()))})")
    for kind in sorted(kinds):
        each = sorted(report.seconds for report in reports if report.kind == kind)
        print(f"seconds a trial of the {kind}: median {each[len(each) // 2]:.1f}, longest {each[-1]:.1f}")
    print(f"seconds {seconds:.0f} · rows compared {sum(r.compared for r in reports)}")
    print(f"divergences {len(diverged)} {diverged or ''}".rstrip())
    for title, counts in (("at the source", events), ("faults", faults)):
        print(f"{title}: {sum(counts.values())}")
        for kind, count in sorted(counts.items()):
            print(f"  {count:6d}  {kind}")


if __name__ == "__main__":
    sys.exit(main())
