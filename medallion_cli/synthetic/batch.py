"""Rows in the making: one table's rows of one chunk, held column by column (a list a column is what makes
this fast).

Values inside a batch: integers, floats for decimals, microseconds since the epoch for instants, text for the
rest, None.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any, Protocol

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.recipe import Recipe, TableRecipe

Values = list[Any]


class Lookups(Protocol):
    """What a batch may ask about rows that exist, or will once the plan is loaded."""

    def pick(self, table: str, column: str, fractions: Sequence[float], scatter: bool) -> Values:
        """The keys at these fractions (0 ≤ f < 1) of the table, oldest first, or scattered always the same
        way.
        """

    def owned(self, table: str, by: str, owners: Sequence[Any]) -> Values:
        """For each owner, the key of one row of `table` whose `by` is that owner; None when there is none."""

    def values(self, table: str, key: str, column: str, keys: Sequence[Any]) -> Values:
        """The `column` of the rows with these keys."""

    def pairs(
        self, table: str, parts: Sequence[tuple[str, str | None]], count: int, rng: Random
    ) -> list[tuple[Any, ...]]:
        """`count` keys of a composite key that no row has yet; a part is its column and the table it refers
        to.
        """


@dataclass(frozen=True)
class Span:
    """Which rows: keys `first` … `first + rows - 1`, at `position` of the plan's `total` of the table."""

    first: int
    rows: int
    position: int = 0
    total: int = 1


@dataclass
class Batch:
    """The rows of `span`; `owner[i]` is the row of `parent` that row i belongs to, `line[i]` its number there
    (from 0).
    """

    recipe: Recipe
    table: TableRecipe
    salt: str
    span: Span
    lookups: Lookups
    clock: int | None = None
    parent: Batch | None = None
    owner: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    siblings: dict[str, Batch] = field(default_factory=dict)
    columns: dict[str, Values] = field(default_factory=dict)
    pairs: list[tuple[Any, ...]] | None = None

    def random(self, purpose: str) -> Random:
        """The random numbers for one column: a function of seed, table, first row and column alone."""
        return Random(f"{self.salt}/{self.table.table.name}/{self.span.first}/{purpose}")

    def values(self, name: str) -> Values:
        """A finished column of this batch, or of its parent (`parent.x`), one value a row."""
        if name.startswith("parent."):
            if self.parent is None:
                raise UsageError(f"{self.table.table.name}: {name}, but the table has no `each`")
            column = self.parent.values(name.removeprefix("parent."))
            return [column[i] for i in self.owner]
        if name not in self.columns:
            raise UsageError(
                f"configs/synthetic.yaml: tables.{self.table.table.name}: {name} is used before it is made"
            )
        return self.columns[name]

    def quantiles(self, rng: Random) -> list[float]:
        """Where each row stands in the plan's rows of its table: 0 the first, 1 the last."""
        total, position, draw = self.span.total, self.span.position, rng.random
        return [(position + i + draw()) / total for i in range(self.span.rows)]
