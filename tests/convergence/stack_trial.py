"""Trials of the whole stack: an environment of its own on a random project, commands as typed, processes killed.

After a fault the operator looks (`doctor`), types the remedy of every finding as it stands, runs, verifies; then the harness
compares gold with what it knows by itself, row for row and version for version.
"""

from __future__ import annotations

import contextlib
import json
import random
import shlex
import subprocess
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bronze_files import BronzeFiles
from checks import Check
from command_line import Medallion
from engines import warehouse
from expected import Expected, Load
from random_project import choose, write
from random_tables import child, loner, parent
from source_model import Position, SourceModel
from stack_faults import Blow
from stack_faults import choose as choose_blow
from trial_report import Report

NAME, SCHEMA = "trial-local", "trialdb"
PATIENCE = 400.0  # seconds for one command
KEPT_OUT = (
    "MED-SIL-003",
    "MED-VER-007",
)  # a rule of the project keeps the row out: verify names it, and nothing is wrong
HEALS = 4  # times that an operator follows what doctor says


class Unhealed(Exception):
    """What the tool said to do did not end in equal."""


@dataclass
class Server:
    """The environment's MariaDB as SourceModel uses one."""

    tool: Medallion

    def create_database(self, name: str) -> None:
        """`up` has made it."""

    def connect(self) -> Any:
        return self.tool.source(SCHEMA)


class StackSource(SourceModel):
    """The source of an environment: its tables were made by `up`."""

    def connect(self) -> None:
        self.connection = self.server.connect()
        self.connection.autocommit(True)

    def run(self, sql: str, values: Any = None) -> list[tuple[Any, ...]]:
        """Tables are there already."""
        return [] if sql.startswith("CREATE TABLE") else super().run(sql, values)


@dataclass
class Rows:
    """Statements on the warehouse, rows as text."""

    tool: Medallion

    def run(self, sql: str) -> list[tuple[str | None, ...]]:
        with warehouse(self.tool) as connection:
            result = connection.execute(sql).pgresult
            assert result is not None
            cells = (
                [result.get_value(row, i) for i in range(result.nfields)] for row in range(result.ntuples)
            )
            return [tuple(None if cell is None else cell.decode() for cell in row) for row in cells]


@dataclass
class Environment:
    """A random project, up and running; trials follow each other in it."""

    home: Path
    seed: int
    chance: random.Random = field(init=False)
    loads: list[Load] = field(default_factory=list)
    ends: dict[str, Position] = field(default_factory=dict)
    snapshots: list[tuple[Position, dict[str, Any]]] = field(default_factory=list)
    generation: int = 1  # the newest folder of bronze
    whole: str = "g0001"  # the newest that holds a load of every table

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        first = parent(self.chance)
        self.shapes = [first, child(self.chance, first), loner(self.chance)]
        self.project = choose(self.chance, SCHEMA, self.shapes)
        write(self.project, self.home / "project")
        self.tool = Medallion(self.home / "states", NAME, self.home / "project")

    def up(self) -> None:
        """Stands it up, with some rows loaded."""
        self.tool("up", "--yes")
        self.source = StackSource(Server(self.tool), SCHEMA, self.chance, clock=_now())
        self.source.create(self.shapes)
        for _ in range(6):
            self.source.transaction()
        self.mark()
        self.tool("replicate", "start")
        self.remember()
        self.read_project()

    def read_project(self) -> None:
        """The specification as it is now."""
        from rooms import PRODUCT

        from medallion_cli.assets import Assets
        from medallion_cli.spec import load_pipeline

        self.pipeline = load_pipeline(Assets((self.home / "project", PRODUCT)))

    def mark(self) -> None:
        """The source's rows at this position."""
        tables = self.source.tables.items()
        rows = {name: {k: table.known(row) for k, row in table.rows.items()} for name, table in tables}
        self.snapshots.append((self.source.position(), rows))

    @property
    def task(self) -> Path:
        """The folder of the replication task."""
        (found,) = (self.tool.state / "engines" / "dms").glob("*-cdc")
        return found

    def remember(self) -> None:
        """What the newest generation has loaded, by the positions of its snapshots."""
        started = json.loads((self.task / "task.json").read_text())["started_at"]
        moment = datetime.fromtimestamp(started / 1_000_000, UTC).replace(tzinfo=None)
        for name in self.source.tables:
            position = self.loaded_at(name)
            rows = next(rows[name] for mark, rows in reversed(self.snapshots) if mark <= position)
            self.loads.append(Load(self.whole, name, moment if rows else None, position, rows))

    def loaded_at(self, name: str) -> Position:
        """Where the snapshot of a table's newest load was taken."""
        state = json.loads((self.task / "checkpoint.json").read_text())
        at = state["tables"][f"{SCHEMA}.{name}"]["snapshot"]
        return at["file"], at["offset"]

    def reload(self) -> None:
        """A new generation, by the command."""
        self.tool("replicate", "stop")
        found = json.loads((self.task / "checkpoint.json").read_text())["position"]
        self.ends[self.whole] = (found["file"], found["offset"])
        self.mark()
        self.tool("replicate", "reload", "--yes")
        self.generation += 1
        self.whole = f"g{self.generation:04d}"
        self.source.truncated = False
        self.remember()

    def adopt(self, name: str) -> None:
        """The project has taken over the columns that a table has at the source, and has loaded it again."""
        self.read_project()
        self.generation += 1
        table = self.source.tables[name]
        columns = {column.name: column for column in table.columns}
        table.shape = replace(
            table.shape, columns=tuple(columns[c.name] for c in self.pipeline.table(name).columns)
        )
        tables = tuple(table.shape if each.name == name else each for each in self.project.tables)
        self.project = replace(self.project, tables=tables)
        rows, at = {key: table.known(row) for key, row in table.rows.items()}, self.loaded_at(name)
        self.loads = [
            replace(load, position=at, rows=rows if load.generation == self.whole else {})
            if load.table == name
            else load
            for load in self.loads
        ]

    def down(self) -> None:
        """Ends and removes it."""
        from medallion_cli.local import lifecycle

        if self.tool.state.exists():
            lifecycle.reset(self.tool.state)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)


class StackTrial:
    """One trial in an environment; `number` counts the trials, so that each kind of fault has its turn."""

    def __init__(self, environment: Environment, seed: int, number: int) -> None:
        self.environment = environment
        self.tool = environment.tool
        self.source = environment.source
        self.number = number
        self.chance = random.Random(seed)
        self.source.chance = self.chance
        self.report = Report(seed, "stack")

    def run(self) -> Report:
        """Plays the trial; problems are in the report."""
        started, changes = time.monotonic(), len(self.source.changes)
        try:
            self._play()
            self._heal()
            self._compare()
        except (Unhealed, AssertionError, subprocess.TimeoutExpired) as error:
            self.report.problems.append(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 (of the harness or a driver: told with its place, and the next trial begins)
            self.report.problems.append("".join(traceback.format_exception(error)[-3:]))
        self.report.seconds = time.monotonic() - started
        self.report.changes = len(self.source.changes) - changes
        return self.report

    def _tell(self, what: str) -> None:
        self.report.plot.append(what)

    def _play(self) -> None:
        """Changes, sometimes a definition or a reload; then a command, and a fault while it works."""
        if self.chance.random() < 0.15:
            self._tell("TRUNCATE")
            self.source.truncate()
            self.report.events["truncate"] += 1
        elif self.chance.random() < 0.2:
            kind = self.source.define(kept=("parent", "child"))  # models of theirs show every column
            self._tell(f"DDL: {kind}")
            self.report.events[f"DDL: {kind}"] += 1
        self._write(self.chance.randint(3, 12))
        if self.source.truncated or self.chance.random() < 0.1:
            self._tell("reload")
            self.environment.reload()
            self.report.events["reload"] += 1
        self._disturb_bronze()
        self._strike()
        self._reconnect()
        self._write(self.chance.randint(0, 4))

    def _write(self, transactions: int) -> None:
        for _ in range(transactions):
            self.source.transaction()
        self.report.events["transaction"] += transactions

    def _disturb_bronze(self) -> None:
        """Files twice, in another order, in two; what is late arrives before the next run of the operator."""
        if self.chance.random() < 0.6:
            return
        root = self.tool.objects("bronze")
        files = BronzeFiles(root, self.environment.home / "aside", SCHEMA, self.chance)
        files.seen = set(files.keys())
        files.disturb(self.report.faults)

    def _strike(self) -> None:
        """`medallion run`, and a fault at a random moment of it."""
        blow = choose_blow(self.chance, self.number)
        command = self.tool.start("run", stderr=subprocess.STDOUT)
        time.sleep(self.chance.uniform(0.2, 12.0))
        hit = self._hit(blow, command)
        self.report.faults[blow.name if hit else f"{blow.name}: too late"] += 1
        said, _ = command.communicate(timeout=PATIENCE)
        self._tell(f"{blow.name}{'' if hit else ' (too late)'}: run ended with {command.returncode}")
        if "Traceback" in said:
            raise Unhealed(f"after {blow.name} the command shows a traceback: {said[-400:]}")

    def _hit(self, blow: Blow, command: subprocess.Popen[str]) -> bool:
        """Strikes once there is something to hit; False when the command has ended before."""
        while not blow.strike(self.tool, command):
            if command.poll() is not None:
                return False
            time.sleep(0.2)
        return True

    def _reconnect(self) -> None:
        """The harness's own connection may be among what was cut."""
        with contextlib.suppress(Exception):
            self.source.connection.close()
        self._look()
        self.source.connect()

    # What an operator does

    def _look(self) -> list[dict[str, Any]]:
        """`doctor`: what it finds; it starts again what has died."""
        out, err = self._typed("--output", "json", "doctor", codes=(0, 1, 3))
        if not out.strip():
            raise Unhealed(f"doctor has nothing to say but {err[-300:]}")
        found: list[dict[str, Any]] = json.loads(out)["findings"]
        for one in found:
            self._tell(f"{one['code']} {one['severity']}: {one['evidence'][:90]} → {one['remedy']}")
            self.report.events[f"finding {one['code']}"] += 1
        return found

    def _typed(self, *words: str, codes: tuple[int, ...]) -> tuple[str, str]:
        process = self.tool.start(*words)
        out, err = process.communicate(timeout=PATIENCE)
        if process.returncode not in codes:
            raise Unhealed(f"medallion {shlex.join(words)} ended with {process.returncode}: {err[-400:]}")
        return out, err

    def _heal(self) -> None:
        """Types every remedy as it stands, until there is no finding that asks for one; then a run, and it has to be equal."""
        for _ in range(HEALS):
            errors = [one for one in self._look() if one["severity"] == "error"]
            if not errors:
                break
            self._follow(errors[0])
        else:
            raise Unhealed(f"doctor still finds {errors[0]['code']} after {HEALS} remedies")
        self._typed("run", codes=(0,))
        self.report.runs += 1
        out, err = self._verified()
        if not out.strip() and "MED-SRC-005" in err:  # a column that the project names is gone
            self._take_over("loner")
            out, err = self._verified()
        if not out.strip():
            raise Unhealed(f"verify has nothing to say but {err[-300:]}")
        self._equal(json.loads(out))

    def _verified(self) -> tuple[str, str]:
        return self._typed("--output", "json", "verify", "--limit", "1000", codes=(0, 1, 3))

    def _take_over(self, name: str) -> None:
        """Types the remedy of a table's drift."""
        drifts = [one for one in self._look() if one["code"] == "MED-SRC-005"]
        (found,) = (one for one in drifts if f"table update {name}" in one["remedy"])
        self._follow(found)
        self.environment.adopt(name)
        self.report.events["project follows the source"] += 1

    def _equal(self, found: dict[str, Any]) -> None:
        """All is equal, but for exactly the rows that the project's own rules keep out of silver."""
        differences = found["differences"]
        kept = Counter(d["table"] for d in differences if d["code"] in KEPT_OUT and d["model"] is None)
        bad = {name: len(keys) for name, keys in self._played().layer.bad.items() if keys}
        unequal = {pair["table"] for pair in found["tables"] if not pair["equal"]}
        models = [pair["model"] for pair in found["models"] if not pair["equal"]]
        if models or unequal != set(bad) or dict(kept) != bad or found["differences_total"] != kept.total():
            told = [(d["code"], d["table"], d["model"], d["key"], d["columns"]) for d in differences[:5]]
            raise Unhealed(
                f"verify: tables {sorted(unequal)}, models {models}; kept out should be {bad}: {told}"
            )

    def _follow(self, finding: dict[str, Any]) -> None:
        """Types a remedy as it stands: `medallion run && medallion verify` is two commands."""
        for line in finding["remedy"].split("&&"):
            words = shlex.split(line)
            if words[:1] != ["medallion"]:
                raise Unhealed(f"{finding['code']}: nobody can type {line!r}")
            self._tell(f"typed: {line.strip()}")
            self._typed(
                *[word for word in words[1:] if word not in ("--project", str(self.tool.project))],
                codes=(0, 1, 3),
            )
        self.report.events["remedy typed"] += 1

    def _compare(self) -> None:
        environment = self.environment
        check = Check(environment.project, environment.pipeline, Rows(self.tool), None, Path())
        self.report.problems += list(check.gold_problems(self.source, self._played()))
        self.report.compared += check.compared

    def _played(self) -> Expected:
        """What silver and gold should be, by the harness's own account."""
        environment = self.environment
        return Expected(environment.project).play(environment.loads, self.source.changes, environment.ends)


@contextlib.contextmanager
def environment(folder: Path, seed: int) -> Iterator[Environment]:
    """An environment that is up; removed at the end."""
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    found = Environment(folder, seed)
    try:
        found.up()
        yield found
    finally:
        found.down()
