"""Somebody else's database through the same commands, with no change to Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import REPOSITORY, Medallion

ROWS = REPOSITORY.parent / "shared" / "data" / "sakila"
PROJECT = REPOSITORY / "tests" / "projects" / "sakila"
PAYMENTS, SUM = 16_049, "67416.51"
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(not ROWS.is_dir(), reason="the Sakila rows are not beside the repository"),
]
CHANGES = (
    "INSERT INTO actor (first_name, last_name) VALUES ('ANNE', 'O''NEIL')",
    "INSERT INTO payment (customer_id, staff_id, rental_id, amount, payment_date) VALUES (1, 1, 76, 5.01, '2005-09-01')",
    "UPDATE film SET title = CONCAT(title, ' ✓'), rental_rate = rental_rate + 1 WHERE film_id <= 20",
    "UPDATE film SET special_features = NULL WHERE film_id = 3",
    "UPDATE staff SET picture = UNHEX('00FF10') WHERE staff_id = 1",
    "UPDATE film_actor SET actor_id = 200 WHERE actor_id = 1 AND film_id = 1",
    "UPDATE payment SET payment_id = 60000 WHERE payment_id = 1",
    "UPDATE inventory SET film_id = 2 WHERE inventory_id = 1",
    "DELETE FROM payment WHERE payment_id BETWEEN 100 AND 199",
)


@pytest.fixture(scope="module")
def sakila(home: Path) -> Medallion:
    """The environment with all rows loaded in its source and run through the layers."""
    tool = Medallion(home, "sakila-local", PROJECT)
    tool("validate")
    tool("up", "--yes")
    load = "LOAD DATA LOCAL INFILE '{}' INTO TABLE {} CHARACTER SET binary"
    execute(tool, *(load.format(file, file.stem) for file in sorted(ROWS.glob("*.tsv"))))
    tool("run")
    return tool


def execute(tool: Medallion, *statements: str) -> None:
    """Statements in one transaction at the source; Sakila's tables refer to each other in circles."""
    with tool.source("sakila") as connection, connection.cursor() as cursor:
        cursor.execute("SET foreign_key_checks = 0")
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def test_all_tables_and_the_known_sum_arrive(sakila: Medallion) -> None:
    assert len(sakila.verified()["tables"]) == 15
    (payments,) = sakila.query("SELECT COUNT(*) AS payments, SUM(amount) AS total FROM gold.payment")
    assert payments == {"payments": PAYMENTS, "total": SUM}
    (films,) = sakila.query("SELECT SUM(revenue) AS total FROM gold.agg_film_revenue")
    assert films == {"total": SUM}


def test_inserts_updates_deletes_and_changed_keys_arrive(sakila: Medallion) -> None:
    execute(sakila, *CHANGES)
    sakila("run")
    sakila.verified()
    (payments,) = sakila.query("SELECT COUNT(*) AS n, MAX(payment_id) AS last FROM gold.payment")
    assert payments == {"n": PAYMENTS + 1 - 100, "last": 60_000}
    assert sakila.query("SELECT title FROM gold.film WHERE film_id = 1") == [{"title": "ACADEMY DINOSAUR ✓"}]
