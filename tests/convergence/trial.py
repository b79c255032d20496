"""One trial in process: random tables, random changes, random faults; then everything is compared.

What is random is decided by the seed alone: the source, replication, bronze and each run draw from generators of their
own, so that what one of them had to decide moves nothing of the others. Processes keep their own time, so where exactly a kill
hits, and into how many files the changes fell, may differ between two plays of a seed; what is done, in which order, does not.
"""

from __future__ import annotations

import random
import shutil
import time
import traceback
from collections.abc import Callable
from typing import Any

from bronze_files import BronzeFiles
from checks import Check
from crash import FUSE, NOTES, Crash
from expected import Expected
from random_project import Project, choose, document, write
from random_tables import child, loner, parent
from replication_room import Replication, ReplicationFailed
from rooms import Rooms
from run_steps import JobFailed, RunSteps
from source_model import SourceModel
from trial_report import Diverged, Report, Staged

CLEAN_RUNS = 3  # until a warehouse that refuses must have healed


class Trial:
    """A trial by its seed, over warm engines."""

    def __init__(self, rooms: Rooms, seed: int, faulty: bool = True) -> None:
        self.rooms = rooms
        self.chance = random.Random(seed)
        self.report = Report(seed)
        self.faulty = faulty
        self.name = f"trial_{seed}"
        self.folder = rooms.home / self.name
        self.staged: list[Staged] = []
        self.runs = 0
        self.dirty = False  # a reload is due before gold can be the source again

    def run(self) -> Report:
        """Plays the trial; problems are in the report, not raised."""
        started = time.monotonic()
        try:
            self._prepare()
            self._play()
            self._heal()
            self._end()
            self._compare("at the end")
            if self.chance.random() < 0.3:
                self._rebuild()
        except (Diverged, ReplicationFailed, JobFailed, AssertionError) as error:
            self.report.problems.append(f"{type(error).__name__}: {error}")
        except Exception as error:  # noqa: BLE001 (of the harness or a driver: told with its place, and the next trial begins)
            self.report.problems.append("".join(traceback.format_exception(error)[-3:]))
        finally:
            FUSE.disarm()
            self._clear()
        self.report.seconds = time.monotonic() - started
        self.report.changes = len(self.source.changes)
        self.report.runs = self.runs
        return self.report

    # Before

    def _prepare(self) -> None:
        self.rooms.open_spark()
        self.rooms.fresh_gold()
        first = parent(self.chance)
        shapes = [first, child(self.chance, first)]
        if self.chance.random() < 0.5:
            shapes.append(loner(self.chance))
        self.project: Project = choose(self.chance, self.name, shapes)
        self.source = SourceModel(self.rooms.source, self.name, self._apart())
        self.source.create(shapes)
        faults = self.report.faults
        self.replication = Replication(self.rooms, self.source, self._apart(), faults, self.folder / "tasks")
        self.bronze = BronzeFiles(
            self.rooms.objects / "bronze", self.folder / "aside", self.name, self._apart()
        )
        self.steps = RunSteps(self.rooms, f"{self.name}_silver")
        self._deploy()

    def _apart(self) -> random.Random:
        """A generator of its own, for what draws as often as it needs to."""
        return random.Random(self.chance.getrandbits(64))

    def _deploy(self) -> None:
        """The project's files, pipeline.json and the warehouse, as `up` makes them."""
        from gold_transport import bring_gold
        from rooms import PRODUCT

        from medallion_cli.assets import Assets
        from medallion_cli.spec import load_pipeline

        write(self.project, self.folder / "project")
        assets = Assets((self.folder / "project", PRODUCT))
        self.pipeline = load_pipeline(assets)
        code = self.rooms.objects / "artifacts" / "code"
        code.mkdir(parents=True, exist_ok=True)
        (code / "pipeline.json").write_text(document(self.pipeline))
        bring_gold(self.rooms.warehouse, self.pipeline, assets)

    def _clear(self) -> None:
        if hasattr(self, "replication"):
            self.replication.leave()
            self.source.connection.close()
        self.rooms.forget(self.name)
        shutil.rmtree(self.folder, ignore_errors=True)

    # The play

    def _play(self) -> None:
        self._write(self.chance.randint(0, 6))
        self._begin_generation()
        for number in range(self.chance.randint(1, 2)):
            if number or self.chance.random() < 0.5:
                self._write(self.chance.randint(3, 12))
            self._replicate()
            self._run_with_faults()
            if self.chance.random() < 0.3:
                self._define()
        if self.chance.random() < 0.3:
            self._tell("TRUNCATE")
            self.source.truncate()
            self.report.events["truncate"] += 1
        if self.source.truncated or self.chance.random() < 0.2:
            self._reload()
        self._write(self.chance.randint(1, 10))
        if self.faulty and self.chance.random() < 0.5:  # one that follows what no later load makes up for
            self._replicate()
            self._run_with_faults()
            self._write(self.chance.randint(1, 5))

    def _tell(self, what: str) -> None:
        self.report.plot.append(what)

    def _write(self, transactions: int, table: str | None = None) -> None:
        """Transactions at the source (of one table, if it is named), with replication reading meanwhile or not."""
        self._tell(f"{transactions} transactions" + (f" of {table}" if table else ""))
        for _ in range(transactions):
            self.source.transaction(table)
            self.report.events["transaction"] += 1
            if self.replication.generation and not self._is_loaded():
                self.replication.mark()
            if self.replication.generation and self.faulty and self._is_loaded():
                self._disturb_replication()

    def _is_loaded(self) -> bool:
        return any(load.generation == self.replication.generation for load in self.replication.loads)

    def _disturb_replication(self) -> None:
        luck = self.chance.random()
        if luck < 0.05:
            self.replication.kill()
        elif luck < 0.10:
            self.replication.start(faulty=True)
        elif luck < 0.12:
            self.replication.cut()
        elif luck < 0.125:
            self._kill_source()

    def _kill_source(self) -> None:
        """SIGKILL to MariaDB between two transactions; it recovers what was committed."""
        self._tell("MariaDB killed")
        self.rooms.source.kill()
        self.rooms.source.start(self.rooms.source.port)
        self.source.connect()
        self.source.touch()
        self.report.faults["MariaDB: killed"] += 1

    def _begin_generation(self) -> None:
        self.source.truncated = False
        self.replication.begin(self.chance.choice((0, 0.05, 0.3)), self.chance.choice((1, 2, 32_000)))
        self.replication.mark()
        self._tell(f"generation {self.replication.generation}")
        self.replication.start(self.faulty and self.chance.random() < 0.5)
        self._write(self.chance.choice((0, 0, 2)))
        self.replication.catch_up(self.faulty)

    def _replicate(self) -> None:
        """Bronze catches up, more or less."""
        if self.faulty and self.chance.random() < 0.2:
            self._tell("replication lags")
            return
        self.replication.catch_up(self.faulty)

    def _define(self) -> None:
        self.replication.catch_up()
        kind = self.source.define()
        self._tell(f"DDL: {kind}")
        self.report.events[f"DDL: {kind}"] += 1

    def _reload(self) -> None:
        """A new generation; now and then the old one has not read everything."""
        self.bronze.release()
        if self.chance.random() < 0.5:
            self.replication.catch_up(self.faulty)
        self.replication.end()
        self.report.events["reload"] += 1
        self._begin_generation()
        if self.faulty and self.chance.random() < 0.5:
            self._run_with_faults()

    # Runs

    def _next_run(self) -> str:
        self.runs += 1
        return f"{self.name}-run-{self.runs}"

    def _run_with_faults(self) -> None:
        """One run, cut off or repeated somewhere; what it refuses must be told, and what is refused must change nothing."""
        if not self.faulty:
            self._whole_run()
            return
        kept, self.chance = self.chance, self._apart()
        try:
            self._faulty_run(self._next_run())
        finally:
            self.chance = kept

    def _faulty_run(self, run_id: str) -> None:
        self.bronze.chance = self._apart()
        self.bronze.disturb(self.report.faults)
        odds = 0.7 if self.runs > 1 else 0.35  # the first run rebuilds; those after it follow, in more steps
        if (
            self._crashing("silver", odds, lambda: self._silver(run_id), most=8)
            and self.chance.random() < 0.5
        ):
            self._tell("silver again")
            self._silver(run_id)
        if self.chance.random() < 0.15:
            return
        staged = self._stage(run_id)
        if staged is not None:
            self.staged.append(staged)
            self._load_with_faults(staged)
        self._replay_older()
        if self.chance.random() < 0.6:
            self.bronze.release()

    def _silver(self, run_id: str) -> None:
        names = [table.name for table in self.project.tables]
        tables = "all" if self.chance.random() < 0.85 else self.chance.choice(names)
        self._tell(f"silver of {tables}")
        try:
            self.steps.silver(run_id, self.replication.generation, self.replication.loaded(), tables)
        finally:  # replication goes on meanwhile: what came after the disturbance may have been taken as well
            self.bronze.seen |= set(self.bronze.keys())

    def _crashing(self, what: str, odds: float, job: Callable[[], Any], most: int) -> bool:
        """Runs a job that may be cut off at one of its first writes, or merges and notes; whether it was."""
        if self.chance.random() >= odds:
            job()
            return False
        count, after = self.chance.randint(1, most), self.chance.random() < 0.5
        of_notes = what == "silver" and count % 2 == 0
        FUSE.arm(count // 2 if of_notes else count, after, NOTES if of_notes else ())
        try:
            job()
        except Crash:
            pass
        except JobFailed:
            if not FUSE.blown:
                raise
        if not FUSE.disarm():
            return False
        which = f"merge or note {count // 2}" if of_notes else f"write {count}"
        self._tell(f"{what} cut {'after' if after else 'before'} {which}")
        self.report.faults[f"{what}: cut off between writes"] += 1
        return True

    def _stage(self, run_id: str) -> Staged | None:
        """Silver to gold; None when it was cut off before its step file."""
        found: list[Staged] = []
        positions = self.steps.positions()
        full = self.chance.random() < 0.1
        self._tell("gold staged" + (" in full" if full else ""))

        def stage() -> None:
            found.append(Staged(run_id, self.steps.stage(run_id, positions, full)))

        self._crashing("staging", 0.2, stage, most=10)
        return found[0] if found else None

    def _load_with_faults(self, staged: Staged) -> None:
        luck = self.chance.random()
        if luck < 0.15:
            self._unchanged(
                "a COPY rolled back", lambda: self.steps.copy(staged.batches, self.chance.randint(1, 6))
            )
        if luck < 0.5:
            self.steps.copy(staged.batches)
        if luck < 0.2:
            self._tell("COPY, and no merge")
            self.report.faults["between COPY and merge"] += 1
            return
        self.steps.copy(staged.batches)
        if 0.2 <= luck < 0.5:
            self._cut_merge(staged)
        if self.chance.random() < 0.1:
            return
        self._merge(staged)
        if self.chance.random() < 0.4:
            self._unchanged("merged twice", lambda: self.steps.merge(staged.run_id))

    def _merge(self, staged: Staged) -> None:
        self._tell(f"merge {staged.run_id[-1]}")
        self.steps.merge(staged.run_id)
        staged.merged = True

    def _cut_merge(self, staged: Staged) -> None:
        """The merge waits at a late model; then its connection is gone: nothing of it may be seen."""
        table = self.chance.choice([m.name for m in self.pipeline.models[1:]])
        before = self._gold()
        if not self.steps.merge_cut(staged.run_id, f"gold.{table}"):
            self._tell(f"merge {staged.run_id[-1]} beside a lock")
            return
        self._tell(f"merge cut at {table}")
        self.report.faults["warehouse: merge cut off in the middle"] += 1
        if self._gold() != before:
            raise Diverged(f"a merge that was cut at gold.{table} has left something in gold")

    def _replay_older(self) -> None:
        """A run of before once more: merged again as it is, or its COPY first; refused or without effect."""
        if not self.staged or self.chance.random() < 0.6:
            return
        old = self.chance.choice(self.staged)
        newest = old is self.staged[-1]
        if not old.merged and newest:
            return
        again = self.chance.random() < 0.6
        gone_past = any(staged.merged for staged in self.staged[self.staged.index(old) + 1 :])
        if not old.merged and again and not gone_past:
            return  # gold still stands where this run was staged from: merging it is no replay
        self._replay(old, again)

    def _replay(self, old: Staged, again: bool) -> None:
        """Merges a run once more, `again` with its COPY: refused, or without effect."""
        what = f"run {old.run_id[-1]} {'COPYed and ' if again else ''}merged again, {'' if old.merged else 'not '}merged before"

        def replay() -> None:
            if again:
                self.steps.copy(old.batches)
            self.steps.merge(old.run_id)

        self._unchanged(what, replay, fault="merge out of order")

    def _unchanged(self, what: str, act: Callable[[], Any], fault: str | None = None) -> None:
        """What changes nothing, or is refused."""
        before = self._gold()
        try:
            act()
        except JobFailed as error:
            if "restage" not in str(error):
                raise
            what += ", refused"
        self._tell(what)
        self.report.faults[f"warehouse: {fault or what}"] += 1
        if self._gold() != before:
            raise Diverged(f"{what} has changed gold")

    def _gold(self) -> dict[str, list[Any]]:
        """Everything that people see, and where it stands."""
        run = self.rooms.warehouse.run
        found = {"position": sorted(run("SELECT model, to_position FROM etl.position"), key=repr)}
        for model in self.pipeline.models:
            names = ", ".join(column.name for column in model.checked)
            found[model.name] = sorted(run(f"SELECT {names} FROM gold.{model.name}"), key=repr)
        return found

    # After

    def _whole_run(self) -> None:
        """A run as an operator's."""
        run_id = self._next_run()
        self.steps.silver(run_id, self.replication.generation, self.replication.loaded())
        staged = Staged(run_id, self.steps.stage(run_id))
        self.steps.copy(staged.batches)
        self._merge(staged)
        self.staged.append(staged)

    def _heal(self) -> None:
        """All is whole again: what was late arrives, replication catches up, one run goes through."""
        if self.source.truncated:
            self._reload()
        self.bronze.release()
        self.replication.catch_up()
        self.bronze.seen |= set(self.bronze.keys())
        self._tell("the last run")
        self._whole_run()
        if "alone" in self.project.models:
            self._write(self.chance.randint(3, 6), "parent")  # its facts stay as they are
            self.replication.catch_up()
            self._whole_run()
        self.bronze.seen |= set(self.bronze.keys())

    def _end(self) -> None:
        """What nothing makes up for any more; drawn apart, so that all before it stays as its seed has it."""
        kept, self.chance = self.chance, random.Random(f"the last of {self.report.seed}")
        try:
            if self.faulty and self.chance.random() < 0.4:
                self._late_at_last()
        finally:
            self.chance = kept
        left = [staged for staged in self.staged if not staged.merged]
        if left:  # by now gold has gone past it
            self._replay(left[0], again=True)

    def _late_at_last(self) -> None:
        """Files come after newer versions of their keys were taken, and no later load or change makes up for them."""
        for late in (True, False):
            self._write(self.chance.randint(3, 6), "parent")
            self.replication.catch_up()
            if late:
                self.bronze.hold(self.report.faults)
        self._whole_run()
        self._tell("late files arrive")
        self.bronze.release()
        self._whole_run()

    def _compare(self, when: str) -> None:
        from medallion_glue.lakehouse import Lakehouse

        house = Lakehouse(self.rooms.spark, "glue_catalog", self.steps.database)
        check = Check(self.project, self.pipeline, self.rooms.warehouse, house, self.rooms.objects / "bronze")
        played = Expected(self.project).play(
            self.replication.loads, self.source.changes, self.replication.ends
        )
        self.report.problems += [f"{when}: {problem}" for problem in check.problems(self.source, played)]
        self.report.compared += check.compared

    def _rebuild(self) -> None:
        """Silver and gold from bronze alone, in a new place: the same rows, the same history."""
        self._tell("rebuilt from bronze")
        self.report.events["rebuild"] += 1
        self.steps = RunSteps(self.rooms, f"{self.name}_again")
        for generation in [*self.replication.ends, self.replication.generation]:
            self.steps.silver(self._next_run(), generation, self.replication.loaded())
        run_id = self._next_run()
        self.steps.copy(self.steps.stage(run_id, full=True))
        self.steps.merge(run_id)
        self._compare("rebuilt")
