"""Generated rows without a database: rows already made answer the lookups."""

from __future__ import annotations

import re
from collections.abc import Sequence
from random import Random
from typing import Any

from medallion_cli.ddl import parse_tables
from medallion_cli.synthetic.facts import Column, ForeignKey, Table
from medallion_cli.synthetic.generate import chunk_rows
from medallion_cli.synthetic.plan import Chunk, Plan
from medallion_cli.synthetic.recipe import Recipe
from medallion_cli.synthetic.render import parsed

_FOREIGN = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES (\w+) \((\w+)\)")
Row = dict[str, Any]


def facts_of(ddl: str) -> dict[str, Table]:
    """What information_schema would say."""
    foreign: dict[str, list[ForeignKey]] = {}
    for part in ddl.split("CREATE TABLE ")[1:]:
        name = part.removeprefix("IF NOT EXISTS ").split()[0]
        foreign[name] = [
            ForeignKey((column,), table, (key,)) for column, table, key in _FOREIGN.findall(part)
        ]
    return {
        table.name: Table(
            table.name,
            tuple(Column(name, kind, nullable) for name, kind, nullable in table.columns),
            table.key,
            tuple(foreign[table.name]),
        )
        for table in parse_tables(ddl, "mysql", "schema.sql").values()
    }


class Made:
    """Rows by table, filled chunk by chunk, as lookups."""

    def __init__(self, recipe: Recipe, plan: Plan) -> None:
        self.recipe, self.plan = recipe, plan
        self.rows: dict[str, list[Row]] = {name: [] for name in recipe.tables}

    def load(self, chunk: Chunk) -> None:
        for rows in chunk_rows(self.recipe, self.plan, chunk, self):
            named = (dict(zip(rows.columns, texts, strict=True)) for texts in zip(*rows.texts, strict=True))
            self.rows[rows.table].extend(named)

    def pick(self, table: str, column: str, fractions: Sequence[float], scatter: bool) -> list[Any]:
        keys = [row[column] for row in self.rows[table]]
        keys = keys or [str(self.plan.firsts[table] + i) for i in range(self.plan.roots.get(table, 0))]
        return [int(keys[int(fraction * len(keys))]) for fraction in fractions]

    def owned(self, table: str, by: str, owners: Sequence[Any]) -> list[Any]:
        key = self.recipe.tables[table].table.key[0]
        found = {row[by]: int(row[key]) for row in reversed(self.rows[table])}
        return [found.get(str(owner)) for owner in owners]

    def values(self, table: str, key: str, column: str, keys: Sequence[Any]) -> list[Any]:
        facts = self.recipe.tables[table].table.by_name[column]
        found = {row[key]: parsed(facts, row[column]) for row in self.rows[table]}
        return [found[str(one)] for one in keys]

    def pairs(
        self, table: str, parts: Sequence[tuple[str, str | None]], count: int, rng: Random
    ) -> list[tuple[Any, ...]]:
        return [tuple(i for _ in parts) for i in range(1, count + 1)]
