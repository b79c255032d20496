"""N rows are exactly N, in the recipe's proportions, and any chunk's rows are known before it is made."""

from __future__ import annotations

import pytest

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.plan import (
    Existing,
    change_chunks,
    child_counts,
    children_before,
    chunks,
    plan_rows,
    plan_seed,
)
from medallion_cli.synthetic.recipe import Recipe, build_recipe

NOTHING = Existing({}, {})


@pytest.mark.parametrize("rows", [30, 100, 999, 20_000, 1_000_003])
@pytest.mark.parametrize("name", ["retail", "sakila"])
def test_a_plan_holds_exactly_the_rows_asked_for(
    name: str, rows: int, request: pytest.FixtureRequest
) -> None:
    recipe: Recipe = request.getfixturevalue(name)
    if name == "sakila" and rows > 200_000:
        rows = 150_000  # its SMALLINT keys hold no more
    assert sum(chunk.total for chunk in plan_seed(recipe, rows, 3, NOTHING)) == rows


def test_every_table_gets_rows_and_orders_get_most(retail: Recipe) -> None:
    totals: dict[str, int] = dict.fromkeys(retail.tables, 0)
    for chunk in plan_seed(retail, 100_000, 3, NOTHING):
        for table, rows in chunk.expected.items():
            totals[table] += rows
    assert min(totals.values()) >= 6
    assert 2 < totals["order_items"] / totals["orders"] < 3
    assert totals["orders"] > 2 * totals["customers"] > 4 * totals["products"]


def test_too_few_rows_says_how_many_are_needed(retail: Recipe) -> None:
    with pytest.raises(UsageError, match="too few") as refused:
        plan_seed(retail, 3, 3, NOTHING)
    smallest = int(str(refused.value.hint).split()[-1])
    assert sum(chunk.total for chunk in plan_seed(retail, smallest, 3, NOTHING)) == smallest


def test_more_rows_than_the_keys_hold_is_refused(sakila: Recipe) -> None:
    with pytest.raises(UsageError, match="too many for the keys"):
        plan_seed(sakila, 50_000_000_000, 3, NOTHING)


def test_keys_go_on_after_those_given_out(retail: Recipe) -> None:
    plan = plan_rows(retail, 1_000, 3, Existing({"orders": 10}, {"orders": 4_711}))
    assert plan.firsts["orders"] == 4_712
    assert plan.firsts["payments"] == 1


def test_child_counts_of_any_slice_are_those_of_the_whole(retail: Recipe) -> None:
    items = retail.tables["order_items"]
    whole = child_counts(items, 5, 0, 1_000)
    assert child_counts(items, 5, 137, 400) == whole[137:537]
    assert children_before(items, 5, 537) == sum(whole[:537])
    assert child_counts(items, 6, 0, 1_000) != whole
    assert max(whole) == 9


def test_chunks_are_parents_first_and_of_bounded_size(retail: Recipe) -> None:
    made = chunks(retail, plan_rows(retail, 200_000, 3, NOTHING, chunk_rows=10_000))
    order = list(dict.fromkeys(chunk.table for chunk in made))
    assert order.index("brands") < order.index("products") < order.index("orders")
    assert max(chunk.total for chunk in made) < 11_000
    assert [chunk.number for chunk in made] == list(range(len(made)))


def test_changes_are_cut_into_chunks_that_add_up() -> None:
    assert [chunk.total for chunk in change_chunks(4_500, 2_000)] == [2_000, 2_000, 500]


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"tables": {"nothing": {}}}, "tables.nothing is not a table"),
        ({"tables": {"brands": {"columns": {"size": {"text": "x"}}}}}, "tables.brands.columns.size"),
        ({"tables": {"brands": {"columns": {"name": {"txet": "x"}}}}}, "expected one rule"),
        (
            {
                "tables": {
                    "orders": {"each": "order_items", "count": {"1": 1}},
                    "order_items": {"each": "orders"},
                }
            },
            "count",
        ),
    ],
)
def test_a_recipe_that_does_not_fit_is_named(
    retail: Recipe, document: dict[str, object], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        build_recipe(document, {name: entry.table for name, entry in retail.tables.items()})
