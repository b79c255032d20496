"""Seeding as operations of the Lambda: record a plan, work on it for a while, say what the ledger expects."""

from __future__ import annotations

import json
import secrets
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from medallion_cli.errors import MedallionError, UsageError
from medallion_cli.synthetic import ledger
from medallion_cli.synthetic.changes import change_chunk
from medallion_cli.synthetic.connection import Connection, Cursor, scalar, sole_writer, source
from medallion_cli.synthetic.facts import Table, read_facts
from medallion_cli.synthetic.history import microseconds
from medallion_cli.synthetic.load import begin_loading, load_chunk, promised_keys
from medallion_cli.synthetic.lookups import SourceLookups
from medallion_cli.synthetic.plan import Chunk, plan_rows, plan_seed
from medallion_cli.synthetic.recipe import Recipe, build_recipe

SECONDS = 5.0  # how long one call works before it reports; far below a Lambda's 15 minutes
PAGE = 2_000

Event = Mapping[str, Any]
Result = dict[str, Any]


@dataclass(frozen=True)
class Project:
    """What travels in the zip: the pipeline document, the recipe document, the DDL."""

    pipeline: Mapping[str, Any]
    recipe: Mapping[str, Any]
    ddl: str

    @property
    def schema(self) -> str:
        """The source schema."""
        return str(self.pipeline["source"]["schema"])

    def facts(self, cursor: Cursor) -> dict[str, Table]:
        """The facts of the pipeline's tables; MedallionError when the source lacks one."""
        facts = read_facts(cursor, self.schema, self.pipeline["tables"])
        missing = [table["name"] for table in self.pipeline["tables"] if table["name"] not in facts]
        if missing:
            raise MedallionError(f"the source has no table {self.schema}.{missing[0]}", hint="medallion up")
        return facts

    def built(self, cursor: Cursor) -> Recipe:
        """The recipe over the source's own tables."""
        return build_recipe(self.recipe, self.facts(cursor))


def plan(project: Project, event: Event) -> Result:
    """Record a plan {kind: rows|changes, wanted, seed|null}, or find the one that this seed and size has
    already.
    """
    kind, wanted, seed = str(event["kind"]), int(event["wanted"]), event.get("seed")
    if kind not in ("rows", "changes") or wanted < 1:
        raise UsageError(f"a plan is of rows or changes, at least one: {kind} {wanted}")
    with source(project.schema) as connection, connection.cursor() as cursor:
        recipe = project.built(cursor)
        recorded = ledger.find(cursor, kind, int(seed), wanted) if seed is not None else None
        if recorded is None:
            connection.commit()
            with sole_writer(connection):
                recorded = _record(cursor, project, recipe, kind, wanted, None if seed is None else int(seed))
                connection.commit()
        return _state(cursor, recipe, recorded)


def _record(
    cursor: Cursor, project: Project, recipe: Recipe, kind: str, wanted: int, seed: int | None
) -> ledger.Recorded:
    clock = recipe.history.end if seed is not None else microseconds(datetime.now(UTC))
    seed = secrets.randbelow(2**31) if seed is None else seed
    rows = ledger.counts(cursor, project.schema, {name: entry.table for name, entry in recipe.tables.items()})
    made = None
    if kind == "rows":
        made = plan_rows(recipe, wanted, seed, ledger.existing(cursor, project.schema, recipe, rows))
    elif not any(rows.values()):
        raise MedallionError("the source has no rows to change", hint="medallion seed --rows N")
    given = ledger.given(cursor)
    base = {name: number - given.get(name, 0) for name, number in rows.items()}
    return ledger.load(cursor, ledger.record(cursor, kind, seed, wanted, clock, made, base))


def _state(cursor: Cursor, recipe: Recipe, recorded: ledger.Recorded) -> Result:
    done = sum(ledger.done(cursor, recorded).values())
    return {
        "plan_id": recorded.plan_id,
        "kind": recorded.kind,
        "seed": recorded.seed,
        "wanted": recorded.wanted,
        "done": done,
        "finished": done >= recorded.wanted,
        "chunks": len(recorded.chunks(recipe)),
    }


def foresee(project: Project, event: Event) -> Result:
    """What a seed of {wanted} rows, {seed} (default 0) would do, without recording it: {rows: {table: rows}, done}."""
    wanted, seed = int(event["wanted"]), event.get("seed")
    with source(project.schema) as connection, connection.cursor() as cursor:
        recipe = project.built(cursor)
        recorded = ledger.find(cursor, "rows", int(seed), wanted) if seed is not None else None
        if recorded is not None:
            todo, done = (
                _unfinished(cursor, recipe, recorded, None),
                sum(ledger.done(cursor, recorded).values()),
            )
        else:
            tables = {name: entry.table for name, entry in recipe.tables.items()}
            there = ledger.existing(
                cursor, project.schema, recipe, ledger.counts(cursor, project.schema, tables)
            )
            todo, done = plan_seed(recipe, wanted, int(seed or 0), there), 0
    sums: Counter[str] = Counter()
    for chunk in todo:
        sums.update(chunk.expected)
    return {"rows": dict(sums), "done": done}


def seed_chunk(project: Project, event: Event) -> Result:
    """Load unfinished chunks of {plan_id} for {seconds}; with {chunk}, only that one. Safe to repeat."""
    return _work(project, event, "rows")


def change_chunk_operation(project: Project, event: Event) -> Result:
    """Make unfinished changes of {plan_id} for about {seconds}; with {chunk}, only that one's. Safe to
    repeat.
    """
    return _work(project, event, "changes")


def _work(project: Project, event: Event, kind: str) -> Result:
    deadline = time.monotonic() + float(event.get("seconds", SECONDS))
    with source(project.schema) as connection, sole_writer(connection), connection.cursor() as cursor:
        recipe, recorded = project.built(cursor), ledger.load(cursor, int(event["plan_id"]))
        if recorded.kind != kind:
            raise UsageError(f"plan {recorded.plan_id} is a plan of {recorded.kind}")
        todo = _unfinished(cursor, recipe, recorded, event.get("chunk"))
        connection.commit()
        work = _load if kind == "rows" else _change
        work(connection, project, recipe, recorded, todo, deadline)
        return _state(cursor, recipe, recorded)


def _unfinished(
    cursor: Cursor, recipe: Recipe, recorded: ledger.Recorded, only: int | None
) -> tuple[Chunk, ...]:
    done = ledger.done(cursor, recorded)
    return tuple(
        chunk
        for chunk in recorded.chunks(recipe)
        if done.get(chunk.number, 0) < chunk.total and only in (None, chunk.number)
    )


def _load(
    connection: Connection,
    project: Project,
    recipe: Recipe,
    recorded: ledger.Recorded,
    todo: tuple[Chunk, ...],
    deadline: float,
) -> None:
    with connection.cursor() as cursor:
        local_infile = begin_loading(cursor)
        promised = promised_keys(recipe, recorded.plan, recorded.chunks(recipe)) if recorded.plan else {}
        tables = {name: entry.table for name, entry in recipe.tables.items()}
        lookups = SourceLookups(cursor, project.schema, tables, promised)
        for chunk in todo:
            load_chunk(connection, recipe, recorded, chunk, lookups, local_infile)
            if time.monotonic() >= deadline:
                break


def _change(
    connection: Connection,
    project: Project,
    recipe: Recipe,
    recorded: ledger.Recorded,
    todo: tuple[Chunk, ...],
    deadline: float,
) -> None:
    with connection.cursor() as cursor:
        promised = ledger.promised(cursor, recipe)
    for chunk in todo:
        change_chunk(connection, recipe, project.schema, recorded, chunk, promised, deadline)
        if time.monotonic() >= deadline:
            break


def ledger_operation(project: Project, event: Event) -> Result:
    """What the source must hold, a table: {expected: {table: rows}, changes: how many are in the ledger}."""
    with source(project.schema) as connection, connection.cursor() as cursor:
        changes = int(scalar(cursor, "SELECT COUNT(*) FROM medallion.change_ledger"))
        return {"expected": ledger.expected(cursor, project.facts(cursor)), "changes": changes}


def changes_operation(project: Project, event: Event) -> Result:
    """A page of the change ledger in commit order: {table?, after: change_id} → {changes: […], next:
    change_id|null}.
    """
    conditions, values = ["change_id > %s"], [int(event.get("after") or 0)]
    if event.get("table"):
        conditions.append("table_name = %s")
        values.append(event["table"])
    columns = (
        "change_id",
        "plan_id",
        "chunk",
        "transaction_no",
        "table_name",
        "op",
        "key_json",
        "old_key_json",
        "row_json",
    )
    with source(project.schema) as connection, connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {', '.join(columns)}, changed_at FROM medallion.change_ledger"
            f" WHERE {' AND '.join(conditions)} ORDER BY change_id LIMIT {PAGE}",
            values,
        )
        found = [_change_row(row) for row in cursor.fetchall()]
    return {"changes": found, "next": found[-1]["change_id"] if len(found) == PAGE else None}


def _change_row(row: tuple[Any, ...]) -> Result:
    change_id, plan_id, chunk, number, table, op, key, old_key, after, changed_at = row
    return {
        "change_id": int(change_id),
        "plan_id": int(plan_id),
        "chunk": int(chunk),
        "transaction": int(number),
        "table": table,
        "op": op,
        "key": json.loads(key),
        "old_key": json.loads(old_key) if old_key else None,
        "row": json.loads(after) if after else None,
        "changed_at": changed_at,
    }


def generate(project: Project, event: Event) -> Result:
    """A small plan of changes, made at once: {changes} of them; for the schedule."""
    made = plan(project, {"kind": "changes", "wanted": int(event["changes"]), "seed": None})
    return change_chunk_operation(project, {"plan_id": made["plan_id"], "seconds": event.get("seconds", 600)})
