"""Replication: start, stop, reload as a new generation, and catching up with the moment of asking."""

from __future__ import annotations

import re
import time
import uuid
from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws.replication import BROKEN, LOADED, WAITING, Replication, TableStatistics
from medallion_cli.errors import MedallionError
from medallion_cli.events import Event, Finished, Noted, Progressed, Started
from medallion_cli.operations import generations, marks, paused, source_database, source_settings
from medallion_cli.operations.progress import rate_unit, with_rate

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings

HEARTBEAT = ("medallion", "heartbeat")
PATIENCE = 900.0  # seconds for DMS to change its state
STILL_SECONDS = 10.0  # without a row loaded, until the source is looked at
STEP = "replication"
LOAD = "full load"
HOW = {"start-replication": "started", "resume-processing": "resumed", "reload-target": "loading anew"}
# The mark of generation and binlog position where the task stopped, which DMS forgets with the task. DMS starts only tasks
# without a full load at a position: a task that is replaced loads a new generation, and this tells what it might have missed.
CHECKPOINT = "checkpoint"
RELOADING = "reloading"  # the mark of a generation whose load was not begun yet
GENERATION = "generation"  # the mark of the one that a reload began, which the template knows nothing of


@dataclass(frozen=True)
class ReplicationStatus:
    """What replication is doing."""

    status: str
    generation: str
    stop_reason: str
    message: str
    tables: list[TableStatistics]

    @property
    def loaded(self) -> bool:
        """Whether every table's full load is complete."""
        return bool(self.tables) and all(table.state == LOADED for table in self.tables)


def status(target: Target, outputs: dict[str, str]) -> ReplicationStatus:
    """Replication now, the heartbeat table left out."""
    replication = Replication(target, outputs)
    task = replication.task()
    tables = [t for t in replication.tables() if (t.schema, t.table) != HEARTBEAT]
    return ReplicationStatus(task.status, replication.generation(), task.stop_reason, task.message, tables)


def start(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Starts or resumes the task, as its state asks for, and waits until it runs and has loaded every table.

    What it waits for is told; a source that is not there is an error, since DMS itself would wait for it without a word.
    """
    paused.refuse(target)
    yield from begin(target, outputs, settings)


def begin(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """`start`, of an environment that is being resumed, too."""
    replication = Replication(target, outputs)
    yield from running(target, outputs, settings)
    yield from generations.finish(target, outputs, replication, settings)
    yield from _loaded(replication, target, outputs, settings)
    generations.complete(target, outputs, replication.generation())


def running(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Has the task run; what it loads is not waited for."""
    replication = Replication(target, outputs)
    yield from source_database.ready(target, outputs, settings)
    task = replication.task()
    if task.status in ("stopping", "starting", "creating", "modifying"):
        yield Noted(f"replication is {task.status}")
        yield from _await(replication, ("ready", "stopped", "failed", "running"), settings)
        task = replication.task()
    if task.status == "running":
        _is_reloading(target, replication)
    else:
        yield from source_database.answering(target, outputs)
        source_settings.check(target, outputs)
        how = "resume-processing" if task.started else "start-replication"
        if marks.read(target, RELOADING) == replication.generation():  # the new folder is empty yet
            how = "reload-target"
        if how != "resume-processing":
            generations.begin(target, outputs, replication.generation())
        yield Started(STEP)
        replication.start(how)
        marks.drop(target, RELOADING)
        yield from _await(replication, ("running",), settings)
        yield Finished(STEP, HOW[how])


def stop(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Stops the task; what it has captured is flushed to bronze first."""
    replication = Replication(target, outputs)
    status = replication.task().status
    if status == "starting":  # DMS refuses to stop what is not running yet
        yield from _await(replication, ("ready", "stopped", "failed", "running"), settings)
        status = replication.task().status
    if status not in ("running", "stopping"):
        yield Noted(f"replication is {status}")
        return
    yield Started(STEP)
    if status == "running":
        _is_reloading(target, replication)
        replication.stop()
    yield from _await(replication, ("stopped", "failed"), settings)
    if position := replication.task().checkpoint:
        marks.write(target, CHECKPOINT, f"{replication.generation()} {position}")
    yield Finished(STEP, "stopped")


def reload(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Loads every table again as a new generation: a snapshot, in which an absent key is a delete."""
    replication = Replication(target, outputs)
    if not replication.task().started:
        raise MedallionError("replication has never run: nothing to reload", hint="medallion replicate start")
    yield from source_database.ready(target, outputs, settings)
    yield from source_database.answering(target, outputs)
    if replication.task().status == "running" and _is_reloading(target, replication):
        generation = replication.generation()
        yield Noted(f"generation {generation} is being loaded")
    else:
        yield from stop(target, outputs, settings)
        generation = marks.read(target, RELOADING) or next_generation(replication.generation())
        yield from _into(target, outputs, replication, generation)
    yield from _await(replication, ("running",), settings)
    yield from _loaded(replication, target, outputs, settings)
    generations.complete(target, outputs, generation)
    yield Finished(f"generation {generation}", "loaded")


def _into(
    target: Target, outputs: dict[str, str], replication: Replication, generation: str
) -> Generator[Event, None, None]:
    """Has the stopped task load into a folder; a mark says so until it was asked to."""
    yield Started(f"generation {generation}")
    marks.write(target, RELOADING, generation)
    generations.begin(target, outputs, generation)
    replication.write_generation(generation)
    marks.write(target, GENERATION, generation)
    replication.start("reload-target")
    marks.drop(target, RELOADING)


def _is_reloading(target: Target, replication: Replication) -> bool:
    """Whether a running task does what a reload asked for just before it was interrupted; that needs no mark any more."""
    if marks.read(target, RELOADING) != replication.generation():
        return False
    marks.drop(target, RELOADING)
    return True


def next_generation(generation: str) -> str:
    """g0001 → g0002: names sort as text."""
    match = re.fullmatch(r"g(\d{4,})", generation)
    if match is None:
        raise MedallionError(f"the S3 endpoint writes to {generation!r}, which is not a generation (g0001 …)")
    return f"g{int(match.group(1)) + 1:04d}"


def catch_up(
    target: Target, outputs: dict[str, str], settings: Settings
) -> Generator[Event, None, list[TableStatistics]]:
    """Brings bronze to the moment of asking; returns each table's counts of what arrived since."""
    replication = Replication(target, outputs)
    before = {(t.schema, t.table): t for t in replication.tables()}
    yield from start(target, outputs, settings)
    yield Started("bronze")
    await_now(target, outputs, settings)
    now = replication.tables()
    _refuse_broken(now, "replication")
    tables = [_since(table, before.get((table.schema, table.table))) for table in now]
    moved = [t for t in tables if (t.schema, t.table) != HEARTBEAT]
    total = sum(t.changes + t.full_load_rows for t in moved)
    yield Finished("bronze", f"{total:,} rows arrived")
    return moved


def await_now(target: Target, outputs: dict[str, str], settings: Settings) -> None:
    """Waits until the running task has brought bronze to the moment of asking.

    A heartbeat row is written at the source. DMS starts a table's batch with its first change and writes it at most one
    batch interval later, so once a heartbeat file has appeared after the row was committed, one more interval is enough
    for every change before it, in every table.
    """
    replication = Replication(target, outputs)
    seen = _heartbeat_files(target, outputs, replication.generation())
    _heartbeat(target, outputs)
    deadline = time.monotonic() + PATIENCE
    while not _heartbeat_files(target, outputs, replication.generation()) - seen:
        _running(replication)
        if time.monotonic() > deadline:
            raise MedallionError("the heartbeat did not reach bronze", hint="medallion replicate status")
        time.sleep(min(settings.batch_seconds / 4, 5))
    time.sleep(settings.batch_seconds * 1.2)


def _since(now: TableStatistics, before: TableStatistics | None) -> TableStatistics:
    if before is None or before.full_load_rows > now.full_load_rows or before.inserts > now.inserts:
        return now
    return TableStatistics(
        now.schema,
        now.table,
        now.state,
        now.full_load_rows - before.full_load_rows,
        now.inserts - before.inserts,
        now.updates - before.updates,
        now.deletes - before.deletes,
        now.last_change,
    )


def _heartbeat(target: Target, outputs: dict[str, str]) -> None:
    from medallion_cli.aws.source import Source

    Source(target, outputs["SourceFunctionName"]).call("heartbeat", token=uuid.uuid4().hex)


def _heartbeat_files(target: Target, outputs: dict[str, str], generation: str) -> set[str]:
    from medallion_cli.aws.s3 import keys

    return set(keys(target, outputs["BronzeBucket"], f"{generation}/{'/'.join(HEARTBEAT)}/"))


def _loaded(
    replication: Replication, target: Target, outputs: dict[str, str], settings: Settings
) -> Generator[Event, None, None]:
    """Waits for the full load; one that stands still has its source looked at, and says so when that is the reason."""
    tables = replication.tables()
    if tables and all(t.state == LOADED for t in tables):
        return
    yield Started(LOAD)
    still, began, told = _Stillness(target, outputs), time.monotonic(), dict[str, str]()
    while True:
        tables = replication.tables()
        rows = sum(t.full_load_rows for t in tables)
        _refuse_broken(tables, LOAD)
        yield from each_table(tables, told)
        if tables and all(t.state == LOADED for t in tables):
            yield Finished(LOAD, f"{rows:,} rows of {len(tables)} tables")
            return
        _running(replication)
        yield Progressed(LOAD, rows, None, rate_unit(rows, time.monotonic() - began))
        yield from still.look(tables)
        time.sleep(min(settings.poll_seconds, 1))


def _refuse_broken(tables: Iterable[TableStatistics], what: str) -> None:
    """MedallionError when DMS has given a table up, be it since the command has begun: what it misses nobody would notice."""
    for table in tables:
        if table.state in BROKEN:
            raise MedallionError(f"{what} of {table.table}: {table.state}", hint="medallion replicate reload")


def each_table(tables: list[TableStatistics], told: dict[str, str]) -> Iterator[Event]:
    """Tables that have begun to load, and those that are through; `told` knows what was said of which."""
    of_name = Counter(table.table for table in tables)
    for table in tables:
        name = table.table if of_name[table.table] == 1 else f"{table.schema}.{table.table}"
        if name not in told and table.state != WAITING:
            told[name] = ""
            yield Started(name, LOAD)
        if table.state == LOADED and not told.get(name):
            told[name] = with_rate(table.full_load_rows, table.load_seconds)
            yield Finished(name, told[name], LOAD, kept=True)


class _Stillness:
    """A load that does not move: is its source there? Asked less and less often while it is."""

    def __init__(self, target: Target, outputs: dict[str, str]) -> None:
        self.target, self.outputs = target, outputs
        self.seen: list[TableStatistics] | None = None
        self.pause, self.failed = STILL_SECONDS, False
        self.due = time.monotonic() + self.pause

    def look(self, tables: list[TableStatistics]) -> Generator[Event, None, None]:
        """MedallionError when the source did not answer twice in a row."""
        if tables != self.seen:
            self.seen, self.pause, self.failed = tables, STILL_SECONDS, False
            self.due = time.monotonic() + self.pause
        if time.monotonic() < self.due:
            return
        try:
            yield from source_database.answering(self.target, self.outputs)
        except MedallionError as error:
            if self.failed:
                hint = error.hint or "medallion status"
                raise MedallionError(f"the full load stands still: {error}", hint=hint) from error
            yield Noted(f"the full load waits for the source: {error}")
            self.failed = True
        else:
            self.failed, self.pause = False, self.pause * 2
        self.due = time.monotonic() + self.pause


def _running(replication: Replication) -> None:
    task = replication.task()
    if task.status not in ("running", "starting"):
        why = task.message or task.stop_reason
        raise MedallionError(f"replication is {task.status}: {why}", hint="medallion replicate start")


def _await(
    replication: Replication, wanted: tuple[str, ...], settings: Settings
) -> Generator[Event, None, None]:
    began = time.monotonic()
    while (task := replication.task()).status not in wanted:
        waited = time.monotonic() - began
        if task.status == "failed" and "failed" not in wanted:
            raise MedallionError(
                f"replication failed: {task.message or task.stop_reason}", hint="medallion replicate status"
            )
        if waited > PATIENCE:
            raise MedallionError(f"replication stays {task.status}", hint="medallion replicate status")
        yield Progressed(STEP, waited, None, f"s, {task.status}")
        time.sleep(min(settings.poll_seconds, 10) / 4)
