"""`python tests/convergence/converge.py --trials N --seed S`: random trials with faults; 1 when anything diverged.

A failing trial prints the command that plays it again. Trial number n has the seed S + n.
"""

from __future__ import annotations

import argparse
import faulthandler
import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from rooms import rooms
from trial import Report, Trial

AGAIN = "python tests/convergence/converge.py --trials 1 --seed {seed} --plot"


def main(words: list[str] | None = None) -> int:
    """Runs the trials; the exit code."""
    options = _options(words)
    started = time.monotonic()
    reports: list[Report] = []
    if options.plot:
        faulthandler.dump_traceback_later(45, repeat=True)  # where a trial hangs
    with rooms() as found:
        ready = time.monotonic()
        for seed in range(options.seed, options.seed + options.trials):
            if options.seconds and time.monotonic() - started > options.seconds:
                break
            reports.append(Trial(found, seed).run())
            tell(reports[-1], options.plot)
            if options.first and reports[-1].problems:
                break
    summary(reports, ready - started, time.monotonic() - started)
    return 1 if any(report.problems for report in reports) else 0


def _options(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=0, help="begin no trial after so many (0: no limit)")
    parser.add_argument("--first", action="store_true", help="stop at the first divergence")
    parser.add_argument("--plot", action="store_true", help="print what happened in each trial")
    return parser.parse_args(words)


def tell(report: Report, plot: bool = False) -> None:
    """One line a trial; of one that diverged everything."""
    state = "DIVERGED" if report.problems else "equal"
    line = f"seed {report.seed}: {state}, {report.compared} rows compared, {report.changes} changes, {report.runs} runs"
    print(f"{line}, {sum(report.faults.values())} faults, {report.seconds:.1f} s", flush=True)
    if plot or report.problems:
        print("    " + "\n    ".join(report.plot))
    for problem in report.problems:
        print(f"  {problem}")
    if report.problems:
        print(f"  again: {AGAIN.format(seed=report.seed)}", flush=True)


def summary(reports: list[Report], start: float, seconds: float) -> None:
    """What all of them did and found."""
    faults, events = Counter[str](), Counter[str]()
    for report in reports:
        faults += report.faults
        events += report.events
    diverged = [report.seed for report in reports if report.problems]
    print(f"\ntrials {len(reports)} · seconds {seconds:.0f} (engines {start:.0f}) · ", end="")
    each = sorted(report.seconds for report in reports) or [0.0]
    print(f"seconds a trial: median {each[len(each) // 2]:.1f}, longest {each[-1]:.1f}")
    print(f"rows compared {sum(r.compared for r in reports)} · divergences {len(diverged)} {diverged or ''}")
    for title, counts in (("at the source", events), ("faults", faults)):
        print(f"{title}: {sum(counts.values())}")
        for kind, count in sorted(counts.items()):
            print(f"  {count:6d}  {kind}")


if __name__ == "__main__":
    sys.exit(main())
