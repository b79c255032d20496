"""Loads source tables anew: all of them as a new generation, or some while the others go on.

Either goes to a folder of bronze of its own: nothing that is there is touched, and silver keeps what it has until the load
is complete. For single tables DMS is resumed in the new folder and told to load them again; a document in the artifacts
bucket says so to the Glue job, and marks see that an interrupted command is finished by the next `replicate start`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from medallion_cli.aws.replication import Replication
from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.events import Event, Finished, Started
from medallion_cli.operations import generations, marks, replicate, source_database

if TYPE_CHECKING:
    from medallion_cli.aws.session import Target
    from medallion_cli.settings import Settings
    from medallion_cli.spec import Pipeline

MOST = 10  # tables that DMS loads again while their task runs


@dataclass(frozen=True)
class ReloadPlan:
    """What a reload reads and touches."""

    generation: str  # the folder that it will write
    current: str
    tables: dict[str, int]  # `schema.table` to the rows of its last load and the changes since
    whole: bool
    models: tuple[str, ...]  # of gold, that will follow

    @property
    def told(self) -> list[str]:
        """The tables with about how many rows."""
        return [f"{name} (~{rows:,} rows)" for name, rows in self.tables.items()]


def plan(target: Target, outputs: dict[str, str], pipeline: Pipeline, names: Sequence[str]) -> ReloadPlan:
    """Looks; UsageError for an unknown table and for too many, MedallionError when nothing was ever loaded."""
    wanted = [pipeline.table(name) for name in names] or list(pipeline.tables)
    if len(set(names)) > MOST:
        raise UsageError(
            f"DMS loads at most {MOST} tables anew beside the others, not {len(set(names))}; without --table all",
            hint="medallion replicate reload --yes",
        )
    replication = Replication(target, outputs)
    if not replication.task().started:
        raise MedallionError("replication has never run: nothing to reload", hint="medallion replicate start")
    current = replication.generation()
    told = {f"{t.schema}.{t.table}": t.full_load_rows + t.inserts - t.deletes for t in replication.tables()}
    full = [f"{table.schema}.{table.name}" for table in wanted]
    readers = {table.name for table in wanted}
    return ReloadPlan(
        marks.read(target, replicate.RELOADING) or replicate.next_generation(current),
        current,
        {name: max(told.get(name, 0), 0) for name in full},
        not names,
        tuple(m.name for m in pipeline.models if m.staged and any(i.table in readers for i in m.inputs)),
    )


def reload_tables(
    target: Target, outputs: dict[str, str], settings: Settings, tables: Sequence[str]
) -> Generator[Event, None, None]:
    """Loads `schema.table`s anew into a new folder, in which the others go on with their changes."""
    replication = Replication(target, outputs)
    if marks.read(target, replicate.RELOADING):
        raise MedallionError("a reload of all tables was begun", hint="medallion replicate reload")
    yield from source_database.ready(target, outputs, settings)
    yield from source_database.answering(target, outputs)
    yield from _caught_up(target, outputs, settings)
    yield from replicate.stop(target, outputs, settings)
    generation = replicate.next_generation(replication.generation())
    yield Started(f"generation {generation}")
    generations.begin_some(target, outputs, generation, tables)
    replication.write_generation(generation)
    marks.write(target, replicate.GENERATION, generation)
    yield from replicate.begin(target, outputs, settings)
    yield Finished(f"generation {generation}", f"{len(tables)} tables loaded")


def _caught_up(target: Target, outputs: dict[str, str], settings: Settings) -> Generator[Event, None, None]:
    """Has the task write what it is behind with: in the new folder it would count as newer than the load."""
    yield from replicate.running(target, outputs, settings)
    yield Started("bronze")
    replicate.await_now(target, outputs, settings)
    yield Finished("bronze", "all changes until now arrived")
