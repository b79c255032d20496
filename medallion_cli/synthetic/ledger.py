"""Schema `medallion` in the source: the heartbeat, the plans, and what each plan has written so far.

A chunk's rows and its ledger row commit together, so the ledger is always exactly what the source received
from here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from medallion_cli.errors import MedallionError
from medallion_cli.synthetic.connection import Cursor, scalar
from medallion_cli.synthetic.facts import Table
from medallion_cli.synthetic.history import instant_text
from medallion_cli.synthetic.plan import Chunk, Existing, Plan, change_chunks, chunks
from medallion_cli.synthetic.recipe import Recipe

SCHEMA = "medallion"
CHANGE_CHUNK = 2_000
DDL = (
    "CREATE DATABASE IF NOT EXISTS medallion CHARACTER SET utf8mb4",
    """CREATE TABLE IF NOT EXISTS medallion.heartbeat (
  id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, token VARCHAR(64) NOT NULL, written_at DATETIME(6) NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
    """CREATE TABLE IF NOT EXISTS medallion.seed_plan (
  plan_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, kind VARCHAR(8) NOT NULL, seed BIGINT NOT NULL,
  wanted BIGINT NOT NULL, clock DATETIME(6) NOT NULL, plan LONGTEXT NOT NULL, base LONGTEXT NOT NULL,
  created_at DATETIME(6) NOT NULL, KEY (kind, seed)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
    """CREATE TABLE IF NOT EXISTS medallion.seed_ledger (
  plan_id BIGINT NOT NULL, chunk INT NOT NULL, written LONGTEXT NOT NULL, total BIGINT NOT NULL,
  written_at DATETIME(6) NOT NULL, PRIMARY KEY (plan_id, chunk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
    """CREATE TABLE IF NOT EXISTS medallion.change_ledger (
  change_id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY, plan_id BIGINT NOT NULL, chunk INT NOT NULL,
  transaction_no INT NOT NULL, table_name VARCHAR(64) NOT NULL, op CHAR(1) NOT NULL,
  key_json LONGTEXT NOT NULL,
  old_key_json LONGTEXT NULL, row_json LONGTEXT NULL, changed_at DATETIME(6) NOT NULL, KEY (plan_id, chunk)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4""",
)


@dataclass(frozen=True)
class Recorded:
    """A plan as `medallion.seed_plan` keeps it; `kind` is rows or changes; `clock` in microseconds."""

    plan_id: int
    kind: str
    seed: int
    wanted: int
    clock: int
    plan: Plan | None

    def chunks(self, recipe: Recipe) -> tuple[Chunk, ...]:
        """All its chunks, done or not."""
        return chunks(recipe, self.plan) if self.plan else change_chunks(self.wanted, CHANGE_CHUNK)


def record(
    cursor: Cursor, kind: str, seed: int, wanted: int, clock: int, plan: Plan | None, base: Any
) -> int:
    """Write a plan and return its id; its keys are taken from now on."""
    cursor.execute(
        "INSERT INTO medallion.seed_plan (kind, seed, wanted, clock, plan, base, created_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, NOW(6))",
        (
            kind,
            seed,
            wanted,
            instant_text(clock),
            json.dumps(asdict(plan) if plan else None),
            json.dumps(base),
        ),
    )
    return int(cursor.lastrowid)


def find(cursor: Cursor, kind: str, seed: int, wanted: int) -> Recorded | None:
    """The newest plan with this kind, seed and size."""
    cursor.execute(
        "SELECT plan_id FROM medallion.seed_plan WHERE kind = %s AND seed = %s AND wanted = %s"
        " ORDER BY plan_id DESC",
        (kind, seed, wanted),
    )
    row = cursor.fetchone()
    return load(cursor, int(row[0])) if row else None


def load(cursor: Cursor, plan_id: int) -> Recorded:
    """The plan with this id; MedallionError when there is none."""
    cursor.execute(
        "SELECT kind, seed, wanted, TIMESTAMPDIFF(MICROSECOND, '1970-01-01', clock), plan"
        " FROM medallion.seed_plan WHERE plan_id = %s",
        (plan_id,),
    )
    row = cursor.fetchone()
    if row is None:
        raise MedallionError(f"the source has no seed plan {plan_id}", hint="medallion seed --rows N")
    document = json.loads(row[4])
    plan = Plan(**document) if document else None
    return Recorded(plan_id, row[0], int(row[1]), int(row[2]), int(row[3]), plan)


def done(cursor: Cursor, recorded: Recorded) -> dict[int, int]:
    """For each chunk begun: the rows or changes that are committed (a chunk of rows is all or nothing)."""
    table, total = ("seed_ledger", "SUM(total)") if recorded.kind == "rows" else ("change_ledger", "COUNT(*)")
    cursor.execute(
        f"SELECT chunk, {total} FROM medallion.{table} WHERE plan_id = %s GROUP BY chunk", (recorded.plan_id,)
    )
    return {int(chunk): int(number) for chunk, number in cursor.fetchall()}


def written(cursor: Cursor, plan_id: int, chunk: Chunk, rows: Mapping[str, int]) -> None:
    """Say that a chunk's rows are in, in the same transaction as the rows."""
    cursor.execute(
        "INSERT INTO medallion.seed_ledger (plan_id, chunk, written, total, written_at)"
        " VALUES (%s, %s, %s, %s, NOW(6))",
        (plan_id, chunk.number, json.dumps(dict(rows)), sum(rows.values())),
    )


def counts(cursor: Cursor, schema: str, tables: Mapping[str, Table]) -> dict[str, int]:
    """Rows of each table now."""
    return {name: int(scalar(cursor, f"SELECT COUNT(*) FROM `{schema}`.`{name}`")) for name in tables}


def given(cursor: Cursor) -> dict[str, int]:
    """Rows that seeds and changes have put into each table so far (inserts less deletes)."""
    sums: dict[str, int] = {}
    cursor.execute("SELECT written FROM medallion.seed_ledger")
    for (text,) in cursor.fetchall():
        for name, number in json.loads(text).items():
            sums[name] = sums.get(name, 0) + int(number)
    cursor.execute(
        "SELECT table_name, SUM(op = 'I') - SUM(op = 'D') FROM medallion.change_ledger GROUP BY table_name"
    )
    for name, number in cursor.fetchall():
        sums[name] = sums.get(name, 0) + int(number)
    return sums


def expected(cursor: Cursor, tables: Mapping[str, Table]) -> dict[str, int]:
    """Rows that each table must hold: those from before the first plan, and what was given since."""
    text = scalar(cursor, "SELECT base FROM medallion.seed_plan ORDER BY plan_id LIMIT 1")
    base, sums = json.loads(text) if text else {}, given(cursor)
    return {name: int(base.get(name, 0)) + sums.get(name, 0) for name in tables}


def existing(cursor: Cursor, schema: str, recipe: Recipe, rows: Mapping[str, int]) -> Existing:
    """Rows, and the last key of each table that is used or promised to a plan."""
    ends = promised(cursor, recipe)
    last = {}
    for name, entry in recipe.tables.items():
        column = entry.table.sequence
        used = (
            rows[name]
            if column is None
            else scalar(cursor, f"SELECT MAX(`{column.name}`) FROM `{schema}`.`{name}`")
        )
        last[name] = max(int(used or 0), ends.get(name, 0), 0)
    return Existing(dict(rows), last)


def promised(cursor: Cursor, recipe: Recipe) -> dict[str, int]:
    """The last key that any plan of rows gives out, a table, whether it is loaded yet or not."""
    ends: dict[str, int] = {}
    cursor.execute("SELECT plan FROM medallion.seed_plan WHERE kind = 'rows'")
    for (text,) in cursor.fetchall():
        plan = Plan(**json.loads(text))
        totals: dict[str, int] = {}
        for chunk in chunks(recipe, plan):
            for name, number in chunk.expected.items():
                totals[name] = totals.get(name, 0) + number
        for name, number in totals.items():
            ends[name] = max(ends.get(name, 0), plan.firsts[name] + number - 1)
    return ends
