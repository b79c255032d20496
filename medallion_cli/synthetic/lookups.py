"""What rows in the making ask about rows that exist, answered by the source in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from random import Random
from typing import Any

from medallion_cli.errors import MedallionError
from medallion_cli.synthetic.batch import Values
from medallion_cli.synthetic.connection import Cursor
from medallion_cli.synthetic.facts import Table
from medallion_cli.synthetic.render import parsed

IN_LIST = 5_000
SCATTER = 7_919  # a prime: multiplying by it permutes the keys, so that popular ones are not neighbours


def scattered(index: int, size: int) -> int:
    """The index that `index` is shuffled to, among `size`, always the same."""
    return index * SCATTER % size if size % SCATTER else index


class SourceLookups:
    """For loading chunks: reads key ranges once and remembers them (`promised`: keys of a plan that are still
    to come).
    """

    def __init__(
        self, cursor: Cursor, schema: str, tables: Mapping[str, Table], promised: Mapping[str, range]
    ) -> None:
        self.cursor, self.schema, self.tables, self.promised = cursor, schema, tables, promised
        self._keys: dict[tuple[str, str], Sequence[Any]] = {}

    def keys(self, table: str, column: str) -> Sequence[Any]:
        """All keys, oldest first: a range when nothing is missing in it, else as read."""
        if (table, column) not in self._keys:
            self._keys[table, column] = self._read_keys(table, column)
        return self._keys[table, column]

    def forget(self, tables: Sequence[str]) -> None:
        """The keys of these tables have changed."""
        self._keys = {known: keys for known, keys in self._keys.items() if known[0] not in tables}

    def _read_keys(self, table: str, column: str) -> Sequence[Any]:
        facts, promised = self.tables[table].by_name[column], self.promised.get(table, range(0))
        relation = f"`{self.schema}`.`{table}`"
        if not facts.is_integer:
            self.cursor.execute(f"SELECT `{column}` FROM {relation} ORDER BY 1")
            return [row[0] for row in self.cursor.fetchall()]
        self.cursor.execute(f"SELECT COUNT(*), MIN(`{column}`), MAX(`{column}`) FROM {relation}")
        count, low, high = (int(value or 0) for value in self.cursor.fetchone())
        if count == 0:
            return promised
        if count == high - low + 1:
            found: Sequence[Any] = range(low, high + 1)
            if promised and high in promised:
                found = range(low, promised.stop)
            return found if not promised or high >= promised.start else [*found, *promised]
        self.cursor.execute(
            f"SELECT `{column}` FROM {relation} WHERE `{column}` < %s ORDER BY 1", (promised.start or 2**63,)
        )
        return [int(row[0]) for row in self.cursor.fetchall()] + self._present(relation, column, promised)

    def _present(self, relation: str, column: str, promised: range) -> list[int]:
        if not promised:
            return []
        self.cursor.execute(
            f"SELECT `{column}` FROM {relation} WHERE `{column}` >= %s ORDER BY 1", (promised.start,)
        )
        loaded = [int(row[0]) for row in self.cursor.fetchall()]
        return [*loaded, *range(loaded[-1] + 1 if loaded else promised.start, promised.stop)]

    def pick(self, table: str, column: str, fractions: Sequence[float], scatter: bool) -> Values:
        """The keys at these fractions of the table."""
        keys = self.keys(table, column)
        size = len(keys)
        if not size:
            return [None] * len(fractions)
        if not scatter:
            return [keys[int(fraction * size)] for fraction in fractions]
        return [keys[scattered(int(fraction * size), size)] for fraction in fractions]

    def owned(self, table: str, by: str, owners: Sequence[Any]) -> Values:
        """One row of `table` for each owner (its oldest), or None."""
        key = self.tables[table].key[0]
        found = self._by_keys(
            f"SELECT `{by}`, MIN(`{key}`) FROM `{self.schema}`.`{table}` WHERE `{by}` IN", by, owners
        )
        column = self.tables[table].by_name[key]
        chosen = {owner: parsed(column, value) for owner, value in found.items()}
        return [chosen.get(str(owner)) for owner in owners]

    def values(self, table: str, key: str, column: str, keys: Sequence[Any]) -> Values:
        """A column of the referenced rows."""
        facts = self.tables[table].by_name[column]
        found = self._by_keys(
            f"SELECT `{key}`, MIN(`{column}`) FROM `{self.schema}`.`{table}` WHERE `{key}` IN", key, keys
        )
        chosen = {known: parsed(facts, value) for known, value in found.items()}
        return [chosen.get(str(one)) for one in keys]

    def _by_keys(self, select: str, group: str, keys: Sequence[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        wanted = sorted({key for key in keys if key is not None})
        for start in range(0, len(wanted), IN_LIST):
            part = wanted[start : start + IN_LIST]
            self.cursor.execute(f"{select} ({', '.join(['%s'] * len(part))}) GROUP BY `{group}`", part)
            found.update(self.cursor.fetchall())
        return found

    def pairs(
        self, table: str, parts: Sequence[tuple[str, str | None]], count: int, rng: Random
    ) -> list[tuple[Any, ...]]:
        """New combinations of the parents' keys, from a random place on; MedallionError when there are not
        enough.
        """
        facts = self.tables[table]
        names = ", ".join(f"`{name}`" for name in facts.key)
        self.cursor.execute(f"SELECT {names} FROM `{self.schema}`.`{table}`")
        taken = {tuple(map(str, row)) for row in self.cursor.fetchall()}
        pools = [self._pool(facts, name, parent, len(taken) + count) for name, parent in parts]
        for pool in pools:
            rng.shuffle(pool)
        free = (pair for pair in _diagonally(pools) if tuple(map(str, pair)) not in taken)
        found = list(islice(free, count))
        if len(found) < count:
            raise MedallionError(
                f"{table}: its key has no room for {count} more rows", hint="seed fewer rows"
            )
        return found

    def _pool(self, facts: Table, name: str, parent: str | None, size: int) -> list[Any]:
        reference = facts.reference(name)
        if parent is None or reference is None:
            return list(range(1, size + 1))
        return list(self.keys(parent, reference.references[0]))


def _diagonally(pools: Sequence[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """All combinations, each once, going through all members of the first pool before using one again."""
    first, *others = pools
    for offsets in product(*(range(len(pool)) for pool in others)):
        for i, member in enumerate(first):
            yield (member, *(pool[(i + o) % len(pool)] for pool, o in zip(others, offsets, strict=True)))


class PointLookups(SourceLookups):
    """For changes: few keys at a time, of tables that change meanwhile, so nothing is remembered."""

    def pick(self, table: str, column: str, fractions: Sequence[float], scatter: bool) -> Values:
        """The keys at these points between the least and the greatest key, in one statement."""
        facts, relation = self.tables[table].by_name[column], f"`{self.schema}`.`{table}`"
        if not facts.is_integer:
            self.forget([table])
            return super().pick(table, column, fractions, scatter)
        point = (
            f"SELECT MIN(`{column}`) + FLOOR(%s * (MAX(`{column}`) - MIN(`{column}`) + 1)) FROM {relation}"
        )
        one = f"(SELECT `{column}` FROM {relation} WHERE `{column}` >= ({point}) ORDER BY `{column}` LIMIT 1)"
        self.cursor.execute(" UNION ALL ".join([one] * len(fractions)), tuple(fractions))
        found = [int(row[0]) for row in self.cursor.fetchall()]
        return found if len(found) == len(fractions) else [None] * len(fractions)

    def pairs(
        self, table: str, parts: Sequence[tuple[str, str | None]], count: int, rng: Random
    ) -> list[tuple[Any, ...]]:
        """As for chunks, on the keys of this moment."""
        self._keys.clear()
        return super().pairs(table, parts, count, rng)
