"""Sakila, a database that nobody here designed: every table's load and changes equal the source.

The rows are Oracle's: `shared/data/sakila` beside the repository, or the folder MEDALLION_SAKILA.
"""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.local.replication.conftest import Database

BESIDE = Path(__file__).parents[3].parent / "shared" / "data" / "sakila"
FOLDER = Path(os.environ.get("MEDALLION_SAKILA", BESIDE))
pytestmark = [
    pytest.mark.engine,
    pytest.mark.skipif(
        not (FOLDER / "payment.tsv").exists(), reason="the Sakila rows are not beside the repository"
    ),
]
TABLES = sorted(path.stem for path in FOLDER.glob("*.tsv"))


def fill(database: Database) -> None:
    text = "\n".join(
        line for line in (FOLDER / "schema.sql").read_text().splitlines() if not line.startswith("--")
    )
    load = "LOAD DATA LOCAL INFILE '{}' INTO TABLE `{}` CHARACTER SET binary"
    with database.connect(local_infile=True) as connection, connection.cursor() as cursor:
        for statement in filter(str.strip, text.split(";")):
            cursor.execute(statement)
        cursor.execute("SET foreign_key_checks = 0")
        for table in TABLES:
            cursor.execute(load.format(FOLDER / f"{table}.tsv", table))


def plain(value: Any) -> Any:
    """A driver's value as bronze holds it."""
    return ",".join(sorted(value)) if isinstance(value, set) else value


def source(database: Database, table: str) -> list[tuple[Any, ...]]:
    return sorted((tuple(map(plain, row)) for row in database.run(f"SELECT * FROM `{table}`")), key=repr)


def bronze(task: Any, database: Database, table: str) -> list[tuple[Any, ...]]:
    rows = task.rows(f"{database.name}.{table}")
    key = tuple(name[3:] for name in rows[0] if name.startswith("BI_"))
    return sorted(
        (tuple(row.values()) for row in task.current(f"{database.name}.{table}", key).values()), key=repr
    )


def test_every_table_is_equal_after_the_load_and_after_changes(database: Database, make_task: Any) -> None:
    fill(database)
    task = make_task(*(f"{database.name}.{table}" for table in TABLES))
    task.start()
    task.wait_loaded()
    payments = task.rows(f"{database.name}.payment")
    assert len(payments) == 16_049
    assert sum(row["amount"] for row in payments) == Decimal("67416.51")
    for table in TABLES:
        assert bronze(task, database, table) == source(database, table), table
    database.run(
        "SET foreign_key_checks = 0",
        "UPDATE film SET special_features = 'Trailers', release_year = 2007 WHERE film_id % 3 = 0",
        "UPDATE staff SET picture = NULL",
        "UPDATE film_actor SET actor_id = actor_id + 1000 WHERE film_id < 20",
        "DELETE FROM payment WHERE payment_id % 5 = 0",
        "UPDATE customer SET active = 1 - active",
        "INSERT INTO rental SELECT rental_id + 100000, rental_date, inventory_id, customer_id, return_date,"
        " staff_id, last_update FROM rental WHERE rental_id < 500 AND return_date IS NOT NULL"
        " ON DUPLICATE KEY UPDATE staff_id = 2",
    )
    task.wait_caught_up(database)
    assert task.stop() == 0
    for table in TABLES:
        assert bronze(task, database, table) == source(database, table), table
