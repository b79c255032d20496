"""A run that is cut off in any of its stages: the same command then completes, and everything is equal.

Each stage is confirmed in flight before the blow, and again after it by what is not there yet:

| stage         | in flight when                                                                                     |
|---------------|----------------------------------------------------------------------------------------------------|
| replicating   | replication has a backlog to read, some of it is in bronze, and its end is not                     |
| silver append | the step runs, and a first `<t>_changes` has a new file                                            |
| silver merge  | the step runs, and a first `<t>` has a new file                                                    |
| gold staging  | the step runs, and a first object of the run is in staging                                         |
| COPY          | the batch has loaded other tables and waits for the last one, which the test holds                 |
| merge         | the dimensions are merged, uncommitted, and the CALL waits for fact_sales, which the test holds    |
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import Medallion
from engines import held, kill_everything, objects, waiting

pytestmark = pytest.mark.engine
CHANGES = "250"
PATIENCE = 240.0
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
    """A `medallion run`, its talk in a file."""

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


@contextlib.contextmanager
def replicating(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    before = bronze(tool)
    running = run()
    running.until(lambda: bronze(tool) - before)
    yield running
    assert "Bronze to silver" not in running.said


@contextlib.contextmanager
def silver_append(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    yield from _writing(tool, run, "*_changes/data/**/*.parquet", "bronze_to_silver")


@contextlib.contextmanager
def silver_merge(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    yield from _writing(tool, run, "*[!s]/data/**/*.parquet", "bronze_to_silver")


@contextlib.contextmanager
def gold_staging(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    before = objects(tool, "staging")
    running = run()
    running.until(lambda: objects(tool, "staging") - before)
    yield running
    assert step(tool, "silver_to_gold") is None


@contextlib.contextmanager
def copy(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    yield from _held(tool, run, "staging.fact_payments", "Copy")


@contextlib.contextmanager
def merge(tool: Medallion, run: Callable[[], Running]) -> Iterator[Running]:
    yield from _held(tool, run, "gold.fact_sales", "Merge")


def _writing(tool: Medallion, run: Callable[[], Running], pattern: str, name: str) -> Iterator[Running]:
    """A step of the newest run that has written its first file of a kind."""

    def written() -> set[Path]:
        (database,) = (tool.objects("silver") / "warehouse").glob("*_silver")
        return set(database.glob(pattern))

    before = written()
    running = run()
    running.until(lambda: written() - before)
    yield running
    assert step(tool, name) is None


def _held(tool: Medallion, run: Callable[[], Running], table: str, state: str) -> Iterator[Running]:
    """A run whose warehouse transaction waits in the middle."""
    with held(tool, table) as connection:
        running = run()
        running.until(lambda: waiting(connection, table))
        assert entered(tool)[-1] in (state, f"Look at {state.lower()}", f"Wait for {state.lower()}")
        yield running


STAGES = [replicating, silver_append, silver_merge, gold_staging, copy, merge]


def bronze(tool: Medallion) -> set[str]:
    """Change files of the project's own tables."""
    return {key for key in objects(tool, "bronze") if "/shop/" in key}


def newest(tool: Medallion) -> dict[str, str]:
    """The execution that was started last, as it is stored."""
    found = [
        json.loads(path.read_text()) for path in (tool.state / "store" / "executions").glob("[!.]*.json")
    ]
    return max(found, key=lambda execution: execution["started"])


def step(tool: Medallion, name: str) -> str | None:
    """A step file of the newest run."""
    path = tool.objects("artifacts") / "runs" / newest(tool)["name"] / f"{name}.json"
    return path.read_text() if path.exists() else None


def entered(tool: Medallion) -> list[str]:
    """The states that the newest execution has entered, polling left out."""
    path = tool.state / "store" / "histories"
    (file,) = path.glob(f"*{newest(tool)['name']}.jsonl")
    events = [json.loads(line) for line in file.read_text().splitlines()]
    names = [e["stateEnteredEventDetails"]["name"] for e in events if "stateEnteredEventDetails" in e]
    return [name for name in names if not name.startswith("Is ")]


def prepared(tool: Medallion, stage: Callable[..., object]) -> None:
    """New changes at the source; for the stage that replicates, ones that replication has not read yet."""
    if stage is replicating:
        tool("replicate", "stop")
    tool("seed", "--changes", "2000" if stage is replicating else CHANGES, "--seed", str(next(seeds)))


def cut_off_once(tool: Medallion) -> None:
    """What must hold once the same command has completed."""
    assert newest(tool)["status"] == "SUCCEEDED"
    tool.verified()


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_ctrl_c(retail: Medallion, run: Callable[[], Running], stage: Callable[..., object]) -> None:
    prepared(retail, stage)
    with stage(retail, run) as running:  # type: ignore[attr-defined]
        running.interrupt()
        again = run()
        if stage not in (replicating, silver_append, silver_merge, gold_staging):
            again.until(lambda: "attached to" in again.said)
    again.completes()
    cut_off_once(retail)


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.__name__)
def test_everything_is_killed(
    retail: Medallion, run: Callable[[], Running], stage: Callable[..., object]
) -> None:
    prepared(retail, stage)
    with stage(retail, run) as running:  # type: ignore[attr-defined]
        killed = kill_everything(retail)
    assert {"mariadbd", "postgres", "java"} <= set(killed)
    assert running.process.wait(60) == 1
    assert "Traceback" not in running.said
    again = run()
    again.completes()
    cut_off_once(retail)
