"""A run that is cut off in any of its stages: the same command then completes, and everything is equal.

Each stage is confirmed in flight before the blow, and again after it by what is not there yet:

| stage         | in flight when                                                                               |
|---------------|----------------------------------------------------------------------------------------------|
| replicating   | a backlog is read: files of its batch are staged, none is in bronze; the process is halted   |
| silver append | a `<t>_changes` has a new file, and the step has not ended                                   |
| silver merge  | a `<t>` has a new file, and the step has not ended                                           |
| gold staging  | staging has a file of the run, and the step has not ended                                    |
| COPY          | the batch's other models are loaded, uncommitted; the last waits for a lock of the test      |
| merge         | the dimensions are merged, uncommitted; the CALL waits for fact_sales, locked by the test    |
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from command_line import Medallion, two_lines
from engines import held, kill_everything, waiting

pytestmark = [pytest.mark.engine, pytest.mark.recovery]
CHANGES = "250"
PATIENCE = 600.0  # seconds; a machine that does much else is slow
seeds = itertools.count(100)


@pytest.fixture(scope="module")
def retail(home: Path) -> Medallion:
    """One environment for every case."""
    tool = Medallion(home)
    tool("up", "--yes")
    tool("seed", "--rows", "20000", "--seed", "1")
    tool("run")
    return tool


@dataclass
class Running:
    """A `medallion run`, what it says in a file."""

    process: subprocess.Popen[str]
    log: Path

    @property
    def said(self) -> str:
        return self.log.read_text()

    def until(self, condition: Callable[[], object]) -> None:
        """Waits closely for a condition; fails when the command ends before it."""
        deadline = time.monotonic() + PATIENCE
        while not condition():
            assert self.process.poll() is None, f"ended too early\n{self.said}"
            assert time.monotonic() < deadline, f"never reached\n{self.said}"
            time.sleep(0.003)

    def interrupt(self) -> None:
        """Ctrl-C: a SIGINT to the whole process group, as the terminal sends it."""
        os.killpg(self.process.pid, signal.SIGINT)
        assert self.process.wait(30) == 130, self.said
        assert self.said.splitlines()[-1].startswith("interrupted"), self.said
        assert "Traceback" not in self.said

    def completes(self) -> None:
        assert self.process.wait(PATIENCE) == 0, self.said


@pytest.fixture
def run(retail: Medallion, tmp_path: Path) -> Iterator[Callable[[], Running]]:
    """Starts `medallion run`."""
    started: list[Running] = []

    def start() -> Running:
        log = tmp_path / f"run{len(started)}.log"
        with log.open("w") as sink:
            process = retail.start("run", stdout=subprocess.DEVNULL, stderr=sink)
        started.append(Running(process, log))
        return started[-1]

    yield start
    for running in started:
        if running.process.poll() is None:
            running.process.kill()
            running.process.wait()


@dataclass(frozen=True)
class Stage:
    """A part of a run: `reach` starts a run and yields it in flight; `unfinished` must hold then, and after the blow."""

    name: str
    reach: Callable[[Medallion, Callable[[], Running]], AbstractContextManager[Running]]
    unfinished: Callable[[Medallion], bool]
    held: bool = False


@contextmanager
def replicating(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """Replication reads a backlog; its process is halted when its first file is not yet in place."""
    running = run()
    running.until(lambda: any((replicator(tool) / "staging").glob("*")))
    process = psutil.Process(int((replicator(tool) / "replicator.pid").read_text().split()[0]))
    process.suspend()
    try:
        yield running
    finally:
        with suppress(psutil.NoSuchProcess):
            process.resume()


@contextmanager
def silver_append(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """A first file of a table's changes is there."""
    yield from _writing(tool, run, "silver", "*_changes/data/*.parquet")


@contextmanager
def silver_merge(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """A first file of a table's newest versions is there; every table's name ends with an s."""
    yield from _writing(tool, run, "silver", "*[!e]s/data/*.parquet")


@contextmanager
def gold_staging(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """A first file of the run is in staging."""
    yield from _writing(tool, run, "staging", "**/*.parquet")


@contextmanager
def copying(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """The other models are in staging, uncommitted, and the last one waits."""
    yield from _held(tool, run, "staging.fact_payments")


@contextmanager
def merging(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    """The dimensions are merged, uncommitted, and the facts wait."""
    yield from _held(tool, run, "gold.fact_sales")


def _writing(tool: Medallion, run: Callable[[], Running], bucket: str, pattern: str) -> Iterator[Running]:
    def written() -> set[Path]:
        folders = (tool.objects("silver") / "warehouse").glob("*_silver")
        root = next(folders) if bucket == "silver" else tool.objects(bucket)
        return set(root.glob(pattern))

    before = written()
    running = run()
    running.until(lambda: written() - before)
    yield running


def _held(tool: Medallion, run: Callable[[], Running], table: str) -> Iterator[Running]:
    with held(tool, table) as connection:
        running = run()
        running.until(lambda: waiting(connection, table))
        yield running


STAGES = (
    Stage("replicating", replicating, lambda tool: any((replicator(tool) / "staging").glob("*"))),
    Stage("silver append", silver_append, lambda tool: step(tool, "bronze_to_silver") is None),
    Stage("silver merge", silver_merge, lambda tool: step(tool, "bronze_to_silver") is None),
    Stage("gold staging", gold_staging, lambda tool: step(tool, "silver_to_gold") is None),
    Stage("COPY", copying, lambda tool: "Copy" in entered(tool) and "Merge" not in entered(tool), held=True),
    Stage(
        "merge",
        merging,
        lambda tool: "Merge" in entered(tool) and "Read gold" not in entered(tool),
        held=True,
    ),
)


def replicator(tool: Medallion) -> Path:
    """The folder of the replication task."""
    (found,) = (tool.state / "engines" / "dms").glob("*-cdc")
    return found


def newest(tool: Medallion) -> dict[str, Any]:
    """The execution that was started last, as it is stored."""
    found = [
        json.loads(path.read_text()) for path in (tool.state / "store" / "executions").glob("[!.]*.json")
    ]
    return max(found, key=lambda execution: execution["started"])


def step(tool: Medallion, name: str) -> str | None:
    """A step file of the newest run."""
    path = tool.objects("artifacts") / "runs" / newest(tool)["name"] / f"{name}.json"
    return path.read_text() if path.exists() else None


def entered(tool: Medallion) -> set[str]:
    """The states that the newest execution has entered."""
    (file,) = (tool.state / "store" / "histories").glob(f"*{newest(tool)['name']}.jsonl")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    return {e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e}


def prepare(tool: Medallion, stage: Stage) -> None:
    """New changes at the source; for the stage that replicates, ones that replication has not read yet."""
    if stage.name == "replicating":
        tool("replicate", "stop")
    tool("seed", "--changes", CHANGES, "--seed", str(next(seeds)))


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_ctrl_c(retail: Medallion, run: Callable[[], Running], stage: Stage) -> None:
    prepare(retail, stage)
    with stage.reach(retail, run) as running:
        assert stage.unfinished(retail)
        running.interrupt()
        again = run()
        if stage.held:
            again.until(lambda: "attached to" in again.said)
    again.completes()
    assert newest(retail)["status"] == "SUCCEEDED"
    retail.verified()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_everything_is_killed(retail: Medallion, run: Callable[[], Running], stage: Stage) -> None:
    prepare(retail, stage)
    with stage.reach(retail, run) as running:
        assert stage.unfinished(retail)
        killed = kill_everything(retail)
        assert stage.unfinished(retail)
    assert {"mariadbd", "postgres", "java"} <= killed
    assert running.process.wait(60) == 1
    two_lines(running.said)
    run().completes()
    assert newest(retail)["status"] == "SUCCEEDED"
    retail.verified()
