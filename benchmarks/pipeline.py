"""Times up, seed, run and verify from empty, and samples the memory of every process of it each second.

    python benchmarks/pipeline.py --rows 250000 --rows 1000000

Memory is PSS (shared pages counted once) of this command's children and of every process under the environment's daemon.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

STEPS = ("up --yes", "seed --rows {rows} --seed 1", "run", "verify")


def main(arguments: Sequence[str] | None = None) -> None:
    """Prints one JSON document a size: seconds a step, their sum, peak memory in MiB."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, action="append", required=True)
    for rows in parser.parse_args(arguments).rows:
        print(json.dumps(measure(rows)), flush=True)


def measure(rows: int) -> dict[str, object]:
    """One pass from empty to verified."""
    with tempfile.TemporaryDirectory(prefix="medallion-bench-") as folder:
        os.chmod(folder, 0o755)
        environment = {**os.environ, "MEDALLION_STATE_HOME": folder}
        run = medallion(environment)
        seconds: dict[str, float] = {}
        with Memory(Path(folder)) as memory:
            try:
                for step in STEPS:
                    began = time.monotonic()
                    run(step.format(rows=rows))
                    seconds[step.split()[0]] = round(time.monotonic() - began, 1)
            finally:
                run("down --yes")
        pipeline = seconds["seed"] + seconds["run"]
        return {
            "rows": rows,
            "seconds": seconds,
            "seed_and_run": round(pipeline, 1),
            "peak_pss_mib": memory.peak_mib,
        }


def medallion(environment: dict[str, str]) -> Callable[[str], None]:
    """Runs one command line of the tool; its talk goes to stderr."""

    def run(words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "medallion_cli.cli", *words.split()],
            env=environment,
            check=True,
            stdout=sys.stderr,
        )

    return run


class Memory:
    """Samples PSS each second while it is open."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.peak_mib = 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Memory:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()

    def _sample(self) -> None:
        while not self.ended.wait(1.0):
            total = sum(pss(process) for process in self._processes())
            self.peak_mib = max(self.peak_mib, total // 2**20)

    def _processes(self) -> set[psutil.Process]:
        own = set(psutil.Process().children(recursive=True)) | {psutil.Process()}
        for process in psutil.process_iter():
            try:
                if str(self.state) in " ".join(process.cmdline()):
                    own |= {process, *process.children(recursive=True)}
            except psutil.Error:
                continue
        return own


def pss(process: psutil.Process) -> int:
    """Bytes; 0 when the process has ended."""
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


if __name__ == "__main__":
    main()
