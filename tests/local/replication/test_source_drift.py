"""Columns that change at the source while it is replicated: every value stays under its own name."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

from medallion_cli.local.replication import snapshot
from medallion_cli.local.replication.faults import SourceLost
from medallion_cli.local.replication.source import Source, shape_of, text_rows
from tests.local.replication.conftest import Database

pytestmark = pytest.mark.engine
PARTS = (
    "CREATE TABLE parts (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, a INT, b VARCHAR(20), "
    "price DECIMAL(6,2), made DATE)"
)


def test_every_alteration_keeps_values_under_their_names(database: Database, make_task: Any) -> None:
    database.run(PARTS, "INSERT INTO parts VALUES (1, 10, 'one', 1.5, '2024-01-01')")
    task = make_task(f"{database.name}.parts")
    task.start()
    task.wait_loaded()
    database.run(
        "INSERT INTO parts (a, b, price, made) VALUES (20, 'two', 2.5, '2024-01-02')",
        "ALTER TABLE parts ADD COLUMN weight DOUBLE FIRST, ALGORITHM=INSTANT",
        "INSERT INTO parts (a, b, price, made, weight) VALUES (30, 'three', 3.5, '2024-01-03', 0.3)",
        "ALTER TABLE parts RENAME COLUMN b TO label, MODIFY COLUMN made DATE AFTER weight",
        "INSERT INTO parts (a, label, price, made, weight) VALUES (40, 'four', 4.5, '2024-01-04', 0.4)",
        "ALTER TABLE parts MODIFY COLUMN a BIGINT, MODIFY COLUMN price VARCHAR(20), DROP COLUMN weight",
        "INSERT INTO parts (a, label, price, made) VALUES (5000000000, 'five', '5 €', '2024-01-05')",
        "UPDATE parts SET made = '2025-01-01' WHERE id = 1",
    )
    task.wait_caught_up(database)
    assert task.stop() == 0
    task.start()
    database.run(
        "ALTER TABLE parts ADD COLUMN b INT DEFAULT 7 AFTER id",
        "INSERT INTO parts (a, label, price, made) VALUES (60, 'six', '6', '2024-01-06')",
        "DELETE FROM parts WHERE id = 2",
    )
    task.wait_caught_up(database)
    assert task.stop() == 0
    rows = sorted(task.rows(f"{database.name}.parts"), key=lambda row: row["dms_change_seq"])
    names = ("id", "a", "b", "label", "price", "made", "weight")
    day = dt.date
    assert [tuple(row.get(name) for name in names) for row in rows] == [
        (1, 10, "one", None, Decimal("1.50"), day(2024, 1, 1), None),
        (2, 20, "two", None, Decimal("2.50"), day(2024, 1, 2), None),
        (3, 30, "three", None, Decimal("3.50"), day(2024, 1, 3), 0.3),
        (4, 40, None, "four", Decimal("4.50"), day(2024, 1, 4), 0.4),
        (5, 5_000_000_000, None, "five", "5 €", day(2024, 1, 5), None),
        (1, 10, None, "one", "1.50", day(2025, 1, 1), None),
        (6, 60, 7, "six", "6", day(2024, 1, 6), None),
        (2, 20, 7, "two", "2.50", day(2024, 1, 2), None),
    ]


def test_a_table_that_is_altered_under_its_load_is_loaded_again(database: Database, make_task: Any) -> None:
    database.run(PARTS, "INSERT INTO parts (a, b) VALUES (1, 'one'), (2, 'two')")
    source = Source("127.0.0.1", database.server.port, "admin", "secret")
    connection = source.connect()
    try:
        snapshot.begin(connection)
        shape = shape_of(connection, database.name, "parts")
        database.run("ALTER TABLE parts DROP COLUMN b, ADD COLUMN c INT FIRST")
        sql = f"SELECT {snapshot.row_expression(shape)} FROM `{database.name}`.parts"
        with pytest.raises(SourceLost):
            list(text_rows(connection, sql))
    finally:
        connection._force_close()
    task = make_task(f"{database.name}.parts")
    task.start()
    task.wait_loaded()
    assert task.stop() == 0
    assert [(row["a"], row["c"], "b" in row) for row in task.rows(f"{database.name}.parts")] == [
        (1, None, False),
        (2, None, False),
    ]


def test_what_is_truncated_or_dropped_keeps_its_rows_and_is_counted(
    database: Database, make_task: Any
) -> None:
    database.run(PARTS, "INSERT INTO parts (a) VALUES (1), (2)")
    task = make_task(f"{database.name}.parts")
    task.start()
    task.wait_loaded()
    database.run("TRUNCATE TABLE parts", "DROP TABLE parts", PARTS, "INSERT INTO parts (a) VALUES (3)")
    task.wait_caught_up(database)
    assert task.stop() == 0
    assert sorted((row["Op"], row["a"]) for row in task.rows(f"{database.name}.parts")) == [
        ("I", 1),
        ("I", 2),
        ("I", 3),
    ]
    assert task.statistics()[f"{database.name}.parts"]["ddls"] == 3
