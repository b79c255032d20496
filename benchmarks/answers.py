"""Times how soon the terminal answers: `medallion --help`, and `status` of a local warehouse; each a process of its own.

    python benchmarks/answers.py --times 11

The warehouse is the shipped one with some rows, up and run. Prints one JSON document: median and longest seconds of each.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from pipeline import medallion

PREPARED = ("up --yes", "seed --rows 20000 --seed 1", "run")
ASKED = ("--help", "status")
LIMITS = {"--help": 0.3, "status": 1.5}  # seconds, of the median


def main(arguments: Sequence[str] | None = None) -> int:
    """1 when a median is over its limit."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--times", type=int, default=11)
    times = parser.parse_args(arguments).times
    with tempfile.TemporaryDirectory(prefix="medallion-bench-") as folder:
        os.chmod(folder, 0o755)
        environment = {**os.environ, "MEDALLION_STATE_HOME": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
        run = medallion(environment)
        try:
            for words in PREPARED:
                run(words)
            found = {words: seconds(words, times, environment) for words in ASKED}
        finally:
            run("down --yes")
    told = {w: {"median": statistics.median(s), "longest": max(s)} for w, s in found.items()}
    print(json.dumps(told))
    return int(any(told[words]["median"] > limit for words, limit in LIMITS.items()))


def seconds(words: str, times: int, environment: dict[str, str]) -> list[float]:
    """Of the installed command, from its start to its end."""
    command = [Path(sys.executable).parent / "medallion", *words.split()]
    taken = []
    for _ in range(times):
        began = time.monotonic()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        taken.append(round(time.monotonic() - began, 3))
    return taken


if __name__ == "__main__":
    sys.exit(main())
