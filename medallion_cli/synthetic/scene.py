"""A transaction of changes in the making: the rows it locks, the keys and instants it gives out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from medallion_cli.synthetic.connection import Cursor, scalar
from medallion_cli.synthetic.facts import Table
from medallion_cli.synthetic.lookups import PointLookups
from medallion_cli.synthetic.recipe import Recipe
from medallion_cli.synthetic.render import Text

Row = dict[str, Text]


@dataclass(frozen=True)
class Change:
    """One row change: `op` I, U or D; `row` the row after it (None after a delete); `old_key` when the key
    changed.
    """

    op: str
    table: str
    key: dict[str, Text]
    row: Row | None
    old_key: dict[str, Text] | None = None


@dataclass(frozen=True)
class Statement:
    """One SQL statement, its values filled in, and the row changes it makes."""

    sql: str
    changes: tuple[Change, ...]


@dataclass
class Scene:
    """One transaction in the making; `next_keys` are the keys it has given out, `promised` the last keys of
    plans.
    """

    cursor: Cursor
    recipe: Recipe
    schema: str
    salt: str
    clock: int
    promised: Mapping[str, int]
    next_keys: dict[str, int] = field(default_factory=dict)
    rng: Random = field(init=False)

    def __post_init__(self) -> None:
        self.rng = Random(self.salt)

    @property
    def lookups(self) -> PointLookups:
        """Lookups on the keys of this moment."""
        return PointLookups(self.cursor, self.schema, {n: t.table for n, t in self.recipe.tables.items()}, {})

    def facts(self, table: str) -> Table:
        """The facts of a table."""
        return self.recipe.tables[table].table

    def tick(self) -> int:
        """A new instant: a microsecond after the last."""
        self.clock += 1
        return self.clock

    def foresee(self, tables: Sequence[str]) -> None:
        """Read the greatest keys of several tables in one statement, before `next_key` asks for each."""
        columns = {name: column for name in tables if (column := self.facts(name).sequence) is not None}
        if columns:
            reads = [
                f"(SELECT MAX(`{column.name}`) FROM {self.relation(n)})" for n, column in columns.items()
            ]
            self.cursor.execute(f"SELECT {', '.join(reads)}")
            for name, used in zip(columns, self.cursor.fetchone(), strict=True):
                self.next_keys[name] = max(int(used or 0), self.promised.get(name, 0)) + 1

    def next_key(self, table: str, count: int = 1) -> int:
        """The first of `count` new keys of a table (1 when its key doesn't count up)."""
        if table not in self.next_keys:
            column = self.facts(table).sequence
            used = (
                scalar(self.cursor, f"SELECT MAX(`{column.name}`) FROM {self.relation(table)}")
                if column
                else 0
            )
            self.next_keys[table] = max(int(used or 0), self.promised.get(table, 0)) + 1
        first = self.next_keys[table]
        self.next_keys[table] += count
        return first

    def relation(self, table: str) -> str:
        """The qualified, quoted table."""
        return f"`{self.schema}`.`{table}`"

    def statement(self, sql: str, values: Sequence[Any], *changes: Change) -> Statement:
        """A statement with its values quoted by the driver."""
        return Statement(self.cursor.mogrify(sql, tuple(values)), changes)

    def rows(self, table: str, condition: str, values: Sequence[Any], limit: int) -> list[Row]:
        """At most `limit` rows of a table, locked, as texts."""
        facts = self.facts(table)
        names = ", ".join(f"`{column.name}`" for column in facts.written)
        order = ", ".join(f"`{name}`" for name in facts.key)
        self.cursor.execute(
            f"SELECT {names} FROM {self.relation(table)} WHERE {condition}"
            f" ORDER BY {order} LIMIT {limit} FOR UPDATE",
            tuple(values),
        )
        return [_row(facts, values) for values in self.cursor.fetchall()]


def _row(facts: Table, values: Sequence[Any]) -> Row:
    return {
        column.name: str(int.from_bytes(value, "big"))
        if column.base == "bit" and value is not None
        else value
        for column, value in zip(facts.written, values, strict=True)
    }
