"""The rows of a chunk: the root table's batch, then its children's, all from the plan and the chunk alone."""

from __future__ import annotations

from dataclasses import dataclass

from medallion_cli.synthetic.batch import Batch, Lookups, Span
from medallion_cli.synthetic.plan import Chunk, Plan, child_counts, children_before
from medallion_cli.synthetic.recipe import Recipe, TableRecipe
from medallion_cli.synthetic.render import Text, column_texts
from medallion_cli.synthetic.rules import make_column


@dataclass(frozen=True)
class Rows:
    """Finished rows of one table, as column texts (None is NULL, bytes are binary)."""

    table: str
    columns: tuple[str, ...]
    texts: tuple[list[Text], ...]

    @property
    def count(self) -> int:
        """How many rows."""
        return len(self.texts[0]) if self.texts else 0


def chunk_rows(recipe: Recipe, plan: Plan, chunk: Chunk, lookups: Lookups) -> tuple[Rows, ...]:
    """The chunk's rows table by table, parents first."""
    root = recipe.tables[chunk.table]
    total = plan.roots[chunk.table]
    span = Span(plan.firsts[chunk.table] + chunk.position, chunk.rows, chunk.position, total)
    counts = {
        child.table.name: child_counts(child, plan.seed, chunk.position, chunk.rows)
        for child in recipe.children(chunk.table)
    }
    firsts = {
        child.table.name: plan.firsts[child.table.name] + children_before(child, plan.seed, chunk.position)
        for child in recipe.children(chunk.table)
    }
    batches = family(recipe, root, f"{plan.seed}/{plan.firsts[chunk.table]}", span, counts, firsts, lookups)
    return tuple(finished(batch) for batch in batches)


def family(
    recipe: Recipe,
    root: TableRecipe,
    salt: str,
    span: Span,
    counts: dict[str, list[int]],
    firsts: dict[str, int],
    lookups: Lookups,
    clock: int | None = None,
) -> list[Batch]:
    """The batches of a root table and its children; `clock` set: everything happens at that instant."""
    parent = _made(Batch(recipe, root, salt, span, lookups, clock))
    batches = {root.table.name: parent}
    for child in recipe.children(root.table.name):
        name, numbers = child.table.name, counts[child.table.name]
        owner = [i for i, number in enumerate(numbers) for _ in range(number)]
        line = [j for number in numbers for j in range(number)]
        rows = Span(firsts[name], len(owner))
        batches[name] = _made(Batch(recipe, child, salt, rows, lookups, clock, parent, owner, line, batches))
    return list(batches.values())


def _made(batch: Batch) -> Batch:
    by_name = batch.table.table.by_name
    for name, rule in batch.table.rules.items():
        make_column(batch, name, rule, by_name.get(name))
    return batch


def finished(batch: Batch) -> Rows:
    """The batch's real columns as texts, in the table's order."""
    columns = batch.table.table.written
    return Rows(
        batch.table.table.name,
        tuple(column.name for column in columns),
        tuple(column_texts(column, batch.columns[column.name]) for column in columns),
    )
