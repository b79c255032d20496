"""Every MySQL type arrives with the same value by the full load and by the binlog."""

from __future__ import annotations

import datetime as dt
import shutil
from decimal import Decimal
from typing import Any

import pytest

from tests.local.replication.conftest import Database

pytestmark = pytest.mark.engine

# column type: {SQL literal: value expected in bronze}
CASES: dict[str, dict[str, Any]] = {
    "TINYINT": {"-128": -128, "127": 127},
    "TINYINT UNSIGNED": {"255": 255},
    "TINYINT(1)": {"1": 1, "0": 0, "7": 7},
    "SMALLINT": {"-32768": -32768},
    "SMALLINT UNSIGNED": {"65535": 65535},
    "MEDIUMINT": {"-8388608": -8388608, "8388607": 8388607},
    "MEDIUMINT UNSIGNED": {"16777215": 16777215},
    "INT": {"-2147483648": -2147483648},
    "INT UNSIGNED": {"4294967295": 4294967295},
    "INT(8) UNSIGNED ZEROFILL": {"42": 42},
    "BIGINT": {"-9223372036854775808": -9223372036854775808},
    "BIGINT UNSIGNED": {"18446744073709551615": 18446744073709551615},
    "DECIMAL(10,2)": {"-12345678.90": Decimal("-12345678.90"), "0.01": Decimal("0.01"), "-0.01": Decimal("-0.01")},
    "DECIMAL(12,2)": {"9999999999.99": Decimal("9999999999.99")},
    "DECIMAL(18,9)": {"-123456789.987654321": Decimal("-123456789.987654321")},
    "DECIMAL(5,0)": {"-99999": Decimal("-99999")},
    "DECIMAL(4,4)": {"0.1234": Decimal("0.1234")},
    "DECIMAL(38,10)": {"-1234567890123456789012345678.0123456789": Decimal("-1234567890123456789012345678.0123456789")},
    "DECIMAL(45,3)": {"-123456789012345678901234567890123456789012.345": "-123456789012345678901234567890123456789012.345"},
    "FLOAT": {"3.14159274": 3.1415927410125732, "-1.17549e-38": pytest.approx(-1.17549e-38), "16777217": 16777216.0},
    "DOUBLE": {"2.718281828459045": 2.718281828459045, "-1.7976931348623157e308": -1.7976931348623157e308},
    "BIT(1)": {"b'1'": True, "b'0'": False},
    "BIT(12)": {"b'101010101010'": 0b101010101010},
    "YEAR": {"1901": 1901, "2155": 2155, "0": 0},
    "DATE": {"'1000-01-01'": dt.date(1000, 1, 1), "'9999-12-31'": dt.date(9999, 12, 31), "'0000-00-00'": None,
             "'2024-02-29'": dt.date(2024, 2, 29), "'2024-00-10'": None, "'2023-10-00'": None},
    "DATETIME": {"'2024-12-31 23:59:59'": dt.datetime(2024, 12, 31, 23, 59, 59), "'0000-00-00 00:00:00'": None,
                 "'1000-01-01 00:00:00'": dt.datetime(1000, 1, 1)},
    "DATETIME(3)": {"'2024-01-02 03:04:05.678'": dt.datetime(2024, 1, 2, 3, 4, 5, 678000)},
    "DATETIME(6)": {"'9999-12-31 23:59:59.999999'": dt.datetime(9999, 12, 31, 23, 59, 59, 999999),
                    "'0000-00-00 00:00:00.000000'": None, "'2024-00-01 10:00:00.5'": None},
    "TIMESTAMP NULL": {"'2024-06-01 12:00:00'": dt.datetime(2024, 6, 1, 12), "'0000-00-00 00:00:00'": None},
    "TIMESTAMP(6) NULL": {"'2038-01-19 03:14:07.999999'": dt.datetime(2038, 1, 19, 3, 14, 7, 999999),
                          "'1970-01-01 00:00:01.000001'": dt.datetime(1970, 1, 1, 0, 0, 1, 1)},
    "TIMESTAMP(1) NULL": {"'2024-06-01 12:00:00.7'": dt.datetime(2024, 6, 1, 12, 0, 0, 700000)},
    "TIME": {"'-838:59:59'": "-838:59:59", "'00:00:01'": "00:00:01", "'100:00:00'": "100:00:00"},
    "TIME(2)": {"'-00:00:01.50'": "-00:00:01.50", "'12:34:56.78'": "12:34:56.78"},
    "TIME(6)": {"'-12:34:56.000001'": "-12:34:56.000001", "'01:00:00.999999'": "01:00:00.999999"},
    "TIME(3)": {"'-00:00:00.001'": "-00:00:00.001", "'23:59:59.120'": "23:59:59.120"},
    "CHAR(5)": {"'ab   '": "ab", "''": ""},
    "CHAR(255) CHARACTER SET utf8mb4": {"'ж'": "ж"},
    "VARCHAR(80) CHARACTER SET utf8mb4": {"'a\"b,c\\nd\\\\e\\r'": 'a"b,c\nd\\e\r', "'😀 \\0 x'": "😀 \0 x", "'NULL'": "NULL",
                                          "''": "", "'0000-00-00'": "0000-00-00"},
    "VARCHAR(80) CHARACTER SET latin1": {"'Müller €'": "Müller €", "_binary X'81'": "\x81"},
    "VARCHAR(300) CHARACTER SET utf16": {"'Ünï 😀'": "Ünï 😀"},
    "VARCHAR(80) CHARACTER SET cp1251": {"'Москва'": "Москва"},
    "TEXT": {"REPEAT('x\"', 30000)": 'x"' * 30000},
    "LONGTEXT": {"REPEAT('y', 17000000)": "y" * 17000000},
    "JSON": {"'{\"a\": [1, null, \"ü\"]}'": '{"a": [1, null, "ü"]}'},
    "BINARY(4)": {"X'0100'": b"\x01\0\0\0", "X'2022'": b"\x20\x22\0\0"},
    "VARBINARY(20)": {"X'00FF220A2C0D'": b'\x00\xff"\n,\r', "''": b""},
    "BLOB": {"X'FFFE00'": b"\xff\xfe\0"},
    "ENUM('a','b,\"c','ü')": {"'ü'": "ü", "'b,\"c'": 'b,"c', "1": "a", "0": ""},
    "SET('x','y','z')": {"'x,z'": "x,z", "''": "", "'z'": "z"},
}  # fmt: skip


def _create(columns: list[str]) -> str:
    parts = ", ".join(f"c{number} {kind}" for number, kind in enumerate(columns))
    return f"CREATE TABLE types (id INT NOT NULL, {parts}, PRIMARY KEY (id)) DEFAULT CHARSET utf8mb4"


def _insert(columns: list[str], database: Database) -> list[list[Any]]:
    """One row for each position in the lists of values (short ones are NULL), and one of NULLs; expected rows."""
    longest = max(len(CASES[kind]) for kind in columns)
    expected = []
    with database.connect(init_command="SET sql_mode = ''") as connection, connection.cursor() as cursor:
        for row in range(longest + 1):
            cells = [list(CASES[kind].items())[row : row + 1] for kind in columns]
            literals = ", ".join(cell[0][0] if cell else "NULL" for cell in cells)
            cursor.execute(f"INSERT INTO types VALUES ({row}, {literals})")
            expected.append([cell[0][1] if cell else None for cell in cells])
    return expected


def _read(task: Any, database: Database, columns: list[str]) -> list[list[Any]]:
    rows = sorted(task.rows(f"{database.name}.types"), key=lambda row: row["id"])
    return [[row[f"c{number}"] for number in range(len(columns))] for row in rows]


@pytest.mark.parametrize("when", ["loaded", "captured"])
def test_values_of_every_type(when: str, database: Database, make_task: Any) -> None:
    columns = list(CASES)
    database.run(_create(columns))
    expected = _insert(columns, database) if when == "loaded" else []
    task = make_task(f"{database.name}.types")
    task.start()
    task.wait_loaded()
    if when == "captured":
        expected = _insert(columns, database)
        task.wait_caught_up(database)
    task.stop()
    found = _read(task, database, columns)
    assert len(found) == len(expected)
    for index, kind in enumerate(columns):
        assert [row[index] for row in found] == [row[index] for row in expected], kind


def test_both_ways_give_the_same_parquet_types(database: Database, make_task: Any) -> None:
    import pyarrow.parquet as pq

    columns = list(CASES)
    database.run(_create(columns), "INSERT INTO types (id) VALUES (1)")
    task = make_task(f"{database.name}.types")
    task.start()
    task.wait_loaded()
    database.run("UPDATE types SET id = 2")
    task.wait_caught_up(database)
    load, change = (pq.read_schema(path) for path in reversed(task.files(f"{database.name}.types")))
    assert load.equals(change)
    by_name = {field.name: str(field.type) for field in load}
    assert by_name["c0"] == "int8"
    assert by_name[f"c{columns.index('BIGINT UNSIGNED')}"] == "uint64"
    assert by_name[f"c{columns.index('DECIMAL(12,2)')}"] == "decimal128(12, 2)"
    assert by_name[f"c{columns.index('DATETIME')}"] == "timestamp[us]"


def test_moments_are_cut_to_milliseconds_where_the_endpoint_says_so(
    database: Database, make_task: Any
) -> None:
    moment = "'2026-01-02 03:04:05.678901'"
    database.run("CREATE TABLE moments (id INT PRIMARY KEY, at DATETIME(6))")
    database.run(f"INSERT INTO moments VALUES (1, {moment})")
    tasks = [
        make_task(f"{database.name}.moments", ParquetTimestampInMillisecond=cut) for cut in (True, False)
    ]
    for task, digits in zip(tasks, (678000, 678901), strict=True):
        task.start()
        task.wait_loaded()
        database.run(f"REPLACE INTO moments VALUES (2, {moment})")
        task.wait_caught_up(database)
        task.stop()
        found = {row["at"].microsecond for row in task.rows(f"{database.name}.moments")}
        assert found == {digits}
        shutil.rmtree(task.target)
