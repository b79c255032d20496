"""How N rows are divided over the tables and cut into chunks, before any row exists.

A table with `each` is made with its parent, so the number of its rows must be known beforehand: counts repeat
in blocks of 100 parents whose multiset is fixed and whose order is shuffled by the seed. So any chunk can be
made alone, and totals are exact.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.recipe import Recipe, TableRecipe

BLOCK = 100
CHUNK_ROWS = 25_000


@dataclass(frozen=True)
class Existing:
    """What the source holds already: rows, and the greatest key given out (0: none), for each table."""

    rows: Mapping[str, int]
    last_keys: Mapping[str, int]


@dataclass(frozen=True)
class Chunk:
    """Rows made and committed together: `rows` of the root table from `position` on, and all that belongs to
    them.
    """

    number: int
    table: str
    position: int
    rows: int
    expected: dict[str, int]

    @property
    def total(self) -> int:
        """Rows over all tables of the chunk."""
        return sum(self.expected.values())


@dataclass(frozen=True)
class Plan:
    """The seed, how many root rows each table gets, and the first key of every table's new rows."""

    seed: int
    roots: dict[str, int]
    firsts: dict[str, int]
    chunk_rows: int = CHUNK_ROWS


def count_pattern(recipe: TableRecipe) -> tuple[int, ...]:
    """The child counts of a block of 100 parents, from the weights of `count`, by largest remainder."""
    total = sum(weight for _, weight in recipe.count)
    exact = [(number, weight * BLOCK / total) for number, weight in recipe.count]
    slots = {number: int(share) for number, share in exact}
    by_remainder = sorted(exact, key=lambda item: (int(item[1]) - item[1], item[0]))
    for number, _ in by_remainder[: BLOCK - sum(slots.values())]:
        slots[number] += 1
    return tuple(number for number, times in slots.items() for _ in range(times))


def child_counts(recipe: TableRecipe, seed: int, position: int, parents: int) -> list[int]:
    """How many rows each of `parents` parents has, from the parent at `position` of the plan on."""
    pattern = count_pattern(recipe)
    counts: list[int] = []
    for block in range(position // BLOCK, (position + parents - 1) // BLOCK + 1 if parents else 0):
        counts.extend(_shuffled(pattern, f"{seed}/{recipe.table.name}/{block}"))
    start = position % BLOCK
    return counts[start : start + parents]


@lru_cache(maxsize=4096)
def _shuffled(pattern: tuple[int, ...], salt: str) -> tuple[int, ...]:
    counts = list(pattern)
    Random(salt).shuffle(counts)
    return tuple(counts)


def children_before(recipe: TableRecipe, seed: int, parents: int) -> int:
    """How many child rows the plan's first `parents` parents have."""
    whole, rest = divmod(parents, BLOCK)
    return whole * sum(count_pattern(recipe)) + sum(child_counts(recipe, seed, whole * BLOCK, rest))


def family_rows(recipe: Recipe, root: str, seed: int, position: int, parents: int) -> dict[str, int]:
    """Rows of a root table and of its children, for `parents` root rows from `position` on."""
    rows = {root: parents}
    for child in recipe.children(root):
        before, after = (children_before(child, seed, n) for n in (position, position + parents))
        rows[child.table.name] = after - before
    return rows


def plan_rows(recipe: Recipe, rows: int, seed: int, existing: Existing, chunk_rows: int = CHUNK_ROWS) -> Plan:
    """Divide exactly `rows` over the tables; UsageError: too few for all, or too many for the keys."""
    rooms = {name: _room(recipe, name, existing) for name in recipe.tables}
    roots = _divide(recipe, rows, seed, existing, rooms)
    firsts = {name: existing.last_keys.get(name, 0) + 1 for name in recipe.tables}
    return Plan(seed, roots, firsts, chunk_rows)


def _divide(
    recipe: Recipe, rows: int, seed: int, existing: Existing, rooms: Mapping[str, int]
) -> dict[str, int]:
    def family(root: str, parents: int) -> int:
        return sum(family_rows(recipe, root, seed, 0, parents).values())

    def most(root: str, budget: int) -> int:
        fits = _greatest(lambda n: family(root, n) <= budget, budget)
        return _greatest(lambda n: _has_room(recipe, root, seed, n, rooms), fits)

    shares = {root.table.name: root.share for root in recipe.roots}
    least = {name: 0 if existing.rows.get(name) else 1 for name in shares}
    smallest = sum(family(name, number) for name, number in least.items())
    if rows < max(smallest, 1):
        raise UsageError(
            f"--rows {rows} is too few: at least {smallest}, one for every table", hint=f"--rows {smallest}"
        )
    scale = 1 / sum(shares.values())
    chosen = {name: max(least[name], most(name, int(rows * share * scale))) for name, share in shares.items()}
    _raise_to_least(recipe, chosen, existing, rows)
    by_share = sorted(shares, key=lambda name: -shares[name])
    _fill(chosen, by_share, rows, family, most, least)
    return chosen


def _raise_to_least(recipe: Recipe, chosen: dict[str, int], existing: Existing, rows: int) -> None:
    """`at_least` rows of the small tables, as long as they stay within a tenth of all rows."""
    for root in recipe.roots:
        name = root.table.name
        wanted = min(root.at_least, rows // 50) - existing.rows.get(name, 0)
        chosen[name] = max(chosen[name], wanted)


def _fill(
    chosen: dict[str, int],
    by_share: list[str],
    rows: int,
    family: Callable[[str, int], int],
    most: Callable[[str, int], int],
    least: Mapping[str, int],
) -> None:
    """Make the sum exact: refit table after table, the largest first, to what the others leave; UsageError if
    none can.
    """
    for _ in range(2):
        for name in by_share:
            others = sum(family(other, number) for other, number in chosen.items() if other != name)
            chosen[name] = max(least[name], most(name, max(0, rows - others)))
    left = rows - sum(family(name, number) for name, number in chosen.items())
    if left:
        excess = "many for the keys of the tables" if left > 0 else "few"
        raise UsageError(
            f"--rows {rows} does not fit: {abs(left)} too {excess}",
            hint=f"--rows {max(1, rows - left)}",
        )


def _greatest(fits: Callable[[int], bool], limit: int) -> int:
    low, high = 0, max(0, limit)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low


def _has_room(recipe: Recipe, root: str, seed: int, parents: int, rooms: Mapping[str, int]) -> bool:
    return all(n <= rooms[name] for name, n in family_rows(recipe, root, seed, 0, parents).items())


def _room(recipe: Recipe, name: str, existing: Existing) -> int:
    """How many more rows the table's key can hold (composite keys of references: half of the combinations
    that exist).
    """
    table = recipe.tables[name].table
    if table.sequence is not None:
        return table.sequence.largest - existing.last_keys.get(name, 0)
    parents = [table.reference(column) for column in table.key]
    if len(table.key) > 1 and recipe.tables[name].each is None and all(parents):
        product = 1
        for key in parents:
            product *= existing.rows.get(key.table, 0) if key else 1
        return max(1, product // 2 - existing.rows.get(name, 0))
    return 2**62


def chunks(recipe: Recipe, plan: Plan) -> tuple[Chunk, ...]:
    """The plan's chunks, parents first, each of about `chunk_rows` rows with its children."""
    made: list[Chunk] = []
    for root in recipe.roots:
        name, total = root.table.name, plan.roots.get(root.table.name, 0)
        each = sum(family_rows(recipe, name, plan.seed, 0, BLOCK).values()) / BLOCK
        step = max(1, int(plan.chunk_rows / each))
        for position in range(0, total, step):
            rows = min(step, total - position)
            expected = family_rows(recipe, name, plan.seed, position, rows)
            made.append(Chunk(len(made), name, position, rows, expected))
    return tuple(made)


def plan_seed(recipe: Recipe, rows: int, seed: int, existing: Existing) -> tuple[Chunk, ...]:
    """The chunks of a plan for exactly `rows` rows, parents first."""
    return chunks(recipe, plan_rows(recipe, rows, seed, existing))


def change_chunks(changes: int, size: int) -> tuple[Chunk, ...]:
    """The chunks of a plan of changes: `rows` and `expected['']` are numbers of row changes."""
    starts = range(0, changes, size)
    sized = (Chunk(number, "", start, min(size, changes - start), {}) for number, start in enumerate(starts))
    return tuple(replace(chunk, expected={"": chunk.rows}) for chunk in sized)
