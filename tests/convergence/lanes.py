"""The two kinds of trials, each in a process of its own with its engines: of the parts, and of the whole stack."""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Expressions over a handful of rows are interpreted (rooms.py), which Spark allows in its test mode only: a third less time,
# from the seventh trial on. Those of the whole stack are compiled, as on AWS, by JVMs that do not live long.
JAVA = {
    "parts": "-XX:ReservedCodeCacheSize=240m -Dspark.testing=true",
    "stack": "-XX:ReservedCodeCacheSize=240m -XX:TieredStopAtLevel=1",
}
E2E = Path(__file__).resolve().parents[1] / "e2e"


@dataclass(frozen=True)
class Lane:
    """The seeds of one kind, in order; none begins after `deadline` (Unix time)."""

    kind: str
    seeds: list[int]
    deadline: float | None

    def over(self, stop: Any) -> bool:
        """Whether no further trial is to begin: as told, or nobody is left to be told of it."""
        asked = multiprocessing.parent_process()
        if asked is not None and not asked.is_alive():
            return True
        return bool(stop.is_set()) or (self.deadline is not None and time.time() > self.deadline)


def parts(lane: Lane, told: Any, stop: Any) -> None:
    """Trials of the parts, over warm engines."""
    from rooms import rooms
    from trial import Trial

    os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA["parts"])
    logging.getLogger("py4j").setLevel(logging.CRITICAL)  # of a JVM that was ended
    with rooms() as found:
        for seed in lane.seeds:
            if lane.over(stop):
                break
            told.put(Trial(found, seed).run())


def stack(lane: Lane, told: Any, stop: Any) -> None:
    """Trials of the whole stack, one after the other in one environment; a fresh one after a divergence."""
    sys.path.insert(0, str(E2E))
    from rooms import engines_may_enter
    from stack_trial import StackTrial, environment

    os.environ.setdefault("JAVA_TOOL_OPTIONS", JAVA["stack"])
    left: list[int] = list(lane.seeds)
    while left and not lane.over(stop):
        with tempfile.TemporaryDirectory(prefix="medallion-convergence-") as home:
            engines_may_enter(Path(home))
            played: list[int] = []
            with environment(Path(home) / "environment", left[0]) as found:
                while left and not lane.over(stop):
                    seed = left.pop(0)
                    report = StackTrial(found, seed, seed // 10).run()
                    report.before = list(played)
                    played.append(seed)
                    told.put(report)
                    if report.problems:
                        break


LANES = {"parts": parts, "stack": stack}
