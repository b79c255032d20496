"""Somebody else's database through the same commands, with no change to Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import SAKILA_PROJECT, SAKILA_ROWS, Medallion

pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not SAKILA_ROWS.is_dir(), reason="the Sakila rows are not beside the repository"),
]
ENVIRONMENT = "sakila-local"


@pytest.fixture(scope="module")
def sakila(home: Path) -> Medallion:
    """The environment with all rows loaded in its source."""
    tool = Medallion(home, SAKILA_PROJECT)
    tool("up", "--yes")
    with tool.source(ENVIRONMENT, "sakila") as connection, connection.cursor() as cursor:
        for file in sorted(SAKILA_ROWS.glob("*.tsv")):
            cursor.execute(f"LOAD DATA LOCAL INFILE '{file}' INTO TABLE {file.stem} CHARACTER SET binary")
        connection.commit()
    tool("run")
    return tool


def test_all_tables_and_the_known_sum_arrive(sakila: Medallion) -> None:
    found = sakila.verified()
    assert len(found["tables"]) == 15
    (total,) = sakila.query("SELECT COUNT(*) AS payments, SUM(amount) AS total FROM gold.payment")
    assert total == {"payments": 16_049, "total": "67416.51"}
    (films,) = sakila.query("SELECT SUM(revenue) AS total FROM gold.agg_film_revenue")
    assert films["total"] == "67416.51"


def test_inserts_updates_deletes_and_changed_keys_arrive(sakila: Medallion) -> None:
    statements = (
        "INSERT INTO actor (first_name, last_name) VALUES ('ANNE', 'O''NEIL')",
        "UPDATE film SET title = CONCAT(title, ' ✓'), rental_rate = rental_rate + 1 WHERE film_id <= 20",
        "UPDATE staff SET picture = UNHEX('00FF10') WHERE staff_id = 1",
        "UPDATE film_actor SET actor_id = 200 WHERE actor_id = 1 AND film_id = 1",
        "UPDATE payment SET payment_id = 60000 WHERE payment_id = 1",
        "UPDATE inventory SET film_id = 2 WHERE inventory_id = 1",
        "DELETE FROM payment WHERE payment_id BETWEEN 100 AND 199",
        "UPDATE film SET special_features = NULL WHERE film_id = 3",
    )
    with sakila.source(ENVIRONMENT, "sakila") as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()
    sakila("run")
    sakila.verified()
    (row,) = sakila.query("SELECT COUNT(*) AS n FROM gold.payment")
    assert row["n"] == 16_049 - 100
