"""Rows are a function of the seed, belong together, and hold what breaks careless pipelines."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal

import pytest
from made_rows import Made

from medallion_cli.errors import UsageError
from medallion_cli.synthetic.facts import Column
from medallion_cli.synthetic.generate import chunk_rows
from medallion_cli.synthetic.plan import Existing, chunks, plan_rows
from medallion_cli.synthetic.recipe import Recipe, formula_names
from medallion_cli.synthetic.render import column_texts, tab_separated


def test_a_chunk_made_alone_again_has_the_same_rows(shop: Made) -> None:
    made = chunks(shop.recipe, shop.plan)
    chunk = [chunk for chunk in made if chunk.table == "orders"][2]
    rows = {rows.table: rows for rows in chunk_rows(shop.recipe, shop.plan, chunk, shop)}
    first = rows["orders"].texts[0][0]
    at = next(i for i, row in enumerate(shop.rows["orders"]) if row["order_id"] == first)
    again = [
        dict(zip(rows["orders"].columns, texts, strict=True))
        for texts in zip(*rows["orders"].texts, strict=True)
    ]
    assert again == shop.rows["orders"][at : at + len(again)]
    assert rows["payments"].count == chunk.expected["payments"]


def test_another_seed_makes_other_rows(shop: Made) -> None:
    other = Made(shop.recipe, plan_rows(shop.recipe, 20_000, 8, Existing({}, {})))
    for chunk in chunks(shop.recipe, other.plan)[:2]:
        other.load(chunk)
    assert other.rows["brands"] != shop.rows["brands"][: len(other.rows["brands"])]


def test_keys_are_unique_and_every_reference_has_its_row(shop: Made) -> None:
    for name, entry in shop.recipe.tables.items():
        rows = shop.rows[name]
        assert len({tuple(row[column] for column in entry.table.key) for row in rows}) == len(rows), name
        for reference in entry.table.foreign_keys:
            there = {row[reference.references[0]] for row in shop.rows[reference.table]}
            found = {row[reference.columns[0]] for row in rows} - {None}
            assert found <= there, (name, reference)


def test_an_order_goes_to_an_address_of_its_customer_and_is_paid_in_full(shop: Made) -> None:
    owner = {row["address_id"]: row["customer_id"] for row in shop.rows["addresses"]}
    shipped = [row for row in shop.rows["orders"] if row["shipping_address_id"] is not None]
    assert len(shipped) > 3_000
    assert all(owner[row["shipping_address_id"]] == row["customer_id"] for row in shipped)
    due: Counter[str] = Counter()
    for item in shop.rows["order_items"]:
        due[item["order_id"]] += Decimal(item["unit_price"]) * int(item["quantity"]) - Decimal(
            item["discount"]
        )
    for payment in shop.rows["payments"]:
        due[payment["order_id"]] -= Decimal(payment["amount"])
    assert set(due.values()) == {Decimal(0)}


def test_a_price_is_the_product_s(shop: Made) -> None:
    prices = {row["product_id"]: row["price"] for row in shop.rows["products"]}
    assert all(item["unit_price"] == prices[item["product_id"]] for item in shop.rows["order_items"])


def test_products_are_skewed_and_history_grows(shop: Made) -> None:
    sold = sorted(Counter(row["product_id"] for row in shop.rows["order_items"]).values(), reverse=True)
    assert sum(sold[: len(sold) // 10]) > 0.3 * sum(sold)
    years = Counter(row["ordered_at"][:4] for row in shop.rows["orders"])
    assert years["2023"] < years["2024"] < years["2025"]
    months = Counter(row["ordered_at"][5:7] for row in shop.rows["orders"] if row["ordered_at"] < "2026")
    assert months["12"] > 1.3 * months["02"]


def test_rows_hold_unicode_quotes_backslashes_empty_and_null(shop: Made) -> None:
    names = "".join(row["first_name"] + row["last_name"] for row in shop.rows["customers"])
    assert any(ord(c) > 0x3000 for c in names)
    notes = {row["note"] for row in shop.rows["orders"]}
    assert None in notes
    assert "" in notes
    text = "".join(note for note in notes if note)
    assert "\\" in text
    assert "'" in text
    attributes = [
        json.loads(row["attributes"]) for row in shop.rows["products"] if row["attributes"] is not None
    ]
    assert {type(entry["fragile"]) for entry in attributes} == {bool}


def test_statuses_and_payments_agree(shop: Made) -> None:
    status = {row["order_id"]: row["status"] for row in shop.rows["orders"]}
    found = {(status[row["order_id"]], row["status"]) for row in shop.rows["payments"]}
    assert ("delivered", "captured") in found
    assert ("pending", "captured") not in found
    assert ("returned", "refunded") in found


def test_a_schema_without_a_recipe_gets_rows_that_fit(sakila: Recipe) -> None:
    made = Made(sakila, plan_rows(sakila, 3_000, 1, Existing({}, {})))
    for chunk in chunks(sakila, made.plan):
        made.load(chunk)
    film = made.rows["film"][0]
    assert set(film) == {column.name for column in sakila.tables["film"].table.columns}
    assert film["rating"] in ("G", "PG", "PG-13", "R", "NC-17", None)
    assert all(len(row["first_name"]) <= 45 for row in made.rows["actor"])
    assert sum(map(len, made.rows.values())) == 3_000


def test_load_data_text_escapes_what_would_break_a_line() -> None:
    columns = (Column("a", "varchar(20)"), Column("b", "blob"), Column("c", "int"))
    assert tab_separated(columns, (["x\ty\n\\", None], [b"\x00\t", None], ["1", "2"])) == (
        "x\\ty\\n\\\\\t0009\t1\n\\N\t\\N\t2\n"
    )


def test_instants_and_decimals_print_as_mysql_prints_them() -> None:
    assert column_texts(Column("a", "datetime(6)"), [0, None]) == ["1970-01-01 00:00:00.000000", None]
    assert column_texts(Column("a", "datetime"), [86_399_999_999]) == ["1970-01-01 23:59:59"]
    assert column_texts(Column("a", "decimal(10,2)"), [0.125 + 2, 7]) == ["2.12", "7.00"]


@pytest.mark.parametrize("expression", ["__import__('os')", "a.b", "[1]", "open('x')", "parent.x.y", "a;b"])
def test_a_formula_is_arithmetic_only(expression: str) -> None:
    with pytest.raises(UsageError, match="formula"):
        formula_names(expression)
