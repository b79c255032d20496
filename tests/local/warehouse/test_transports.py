"""One contract for both transports of medallion_cli.aws.warehouse."""

from __future__ import annotations

import datetime
import threading
from collections.abc import Iterator
from decimal import Decimal

import pyarrow as pa
import pytest
from fake_runtime import OUTPUTS, FakeRuntime
from scratch_warehouse import Scratch
from test_copy import ROLE, staged

from medallion_cli.aws.warehouse import SqlFailed, Warehouse, connect
from medallion_cli.aws.warehouse_values import Column, Rows
from medallion_cli.errors import MedallionError

pytestmark = pytest.mark.engine


@pytest.fixture(params=["data_api", "direct"])
def transport(request: pytest.FixtureRequest, runtime: FakeRuntime) -> Iterator[Warehouse]:
    opened = connect(runtime, OUTPUTS, request.param)
    yield opened
    opened.close()


@pytest.fixture
def schema(warehouse: Scratch) -> str:
    return str(warehouse.run("SELECT CURRENT_SCHEMA()")[0][0])


def test_values_have_python_s_types(transport: Warehouse) -> None:
    found = transport.execute(
        "SELECT 1::bigint AS a, 1.50::decimal(10,2) AS b, '2024-01-02 03:04:05.678'::timestamp AS c, "
        "'2024-01-02'::date AS d, true AS e, NULL::int AS f, 'ä'::varchar(5) AS g, "
        "0.5::double precision AS h, 'ab'::varbyte AS i, JSON_PARSE('[1]') AS j, 'x'::char(3) AS k, "
        "'2024-01-02 03:04:05+00'::timestamptz AS l"
    )
    at = datetime.datetime(2024, 1, 2, 3, 4, 5)
    assert found.rows == (
        (
            1,
            Decimal("1.50"),
            at.replace(microsecond=678000),
            at.date(),
            True,
            None,
            "ä",
            0.5,
            b"ab",
            "[1]",
            "x  ",
            at.replace(tzinfo=datetime.UTC),
        ),
    )
    assert str(found.rows[0][1]) == "1.50"
    assert found.columns[:3] == (Column("a", "int8"), Column("b", "numeric"), Column("c", "timestamp"))
    assert [column.type for column in found.columns[3:]] == [
        "date",
        "bool",
        "int4",
        "varchar",
        "float8",
        "varbyte",
        "super",
        "bpchar",
        "timestamptz",
    ]


def test_parameters(transport: Warehouse, schema: str) -> None:
    transport.execute(f"CREATE TABLE {schema}.t (a BIGINT, b VARCHAR(20), c TIMESTAMP, d DECIMAL(9,2))")
    at = datetime.datetime(2024, 1, 2, 3, 4, 5, 6)
    given = {"a": 7, "b": "it's; --", "c": at, "d": Decimal("1.10")}
    transport.execute(f"INSERT INTO {schema}.t VALUES (:a, :b, :c, :d)", given)
    found = transport.execute(
        f"SELECT a, b, c, d, ':x' FROM {schema}.t WHERE a = :a AND b = :b", {"a": 7, "b": "it's; --"}
    )
    assert found.rows == ((7, "it's; --", at, Decimal("1.10"), ":x"),)
    for value in (None, ""):
        with pytest.raises(MedallionError, match="NULL or empty"):
            transport.execute("SELECT :a", {"a": value})


def test_a_statement_without_rows(transport: Warehouse, schema: str) -> None:
    assert transport.execute(f"CREATE TABLE {schema}.t (a BIGINT)") == Rows()
    found = transport.execute(f"SELECT a FROM {schema}.t")
    assert (found.columns, found.rows, found.scalar()) == ((Column("a", "int8"),), (), None)


def test_a_batch_is_all_or_nothing(transport: Warehouse, schema: str) -> None:
    transport.batch([f"CREATE TABLE {schema}.t (a BIGINT)", f"INSERT INTO {schema}.t VALUES (1)"])
    with pytest.raises(SqlFailed, match="invalid input syntax"):
        transport.batch([f"INSERT INTO {schema}.t VALUES (2)", f"INSERT INTO {schema}.t VALUES ('x')"])
    assert transport.execute(f"SELECT COUNT(*) AS n FROM {schema}.t").dicts() == [{"n": 1}]
    with pytest.raises(MedallionError, match="1 to 40"):
        transport.batch(["SELECT 1"] * 41)


def test_errors_are_redshift_s_in_one_line(transport: Warehouse) -> None:
    with pytest.raises(SqlFailed) as failed:
        transport.execute("SELECT * FROM nowhere.nothing")
    assert str(failed.value) == 'Redshift: relation "nowhere.nothing" does not exist'
    assert transport.execute("SELECT 1").scalar() == 1, "the transport goes on"
    with pytest.raises(SqlFailed, match="TOP is not supported"):
        transport.execute("SELECT TOP 1 1")


def test_copy_and_call(transport: Warehouse, warehouse: Scratch, schema: str) -> None:
    staged(warehouse, {"a": [1, 2]}, [pa.int64()], f"{schema}/1.parquet")
    transport.execute(f"CREATE TABLE {schema}.t (a BIGINT)")
    transport.execute(
        f"CREATE PROCEDURE {schema}.drop_some(minimum VARCHAR(10), gone INOUT BIGINT) "
        f"LANGUAGE plpgsql AS $$ BEGIN "
        f"DELETE FROM {schema}.t WHERE a >= minimum::bigint; GET DIAGNOSTICS gone := ROW_COUNT; END $$"
    )
    transport.batch(
        [f"DELETE FROM {schema}.t", f"COPY {schema}.t FROM 's3://staging/{schema}/' {ROLE} FORMAT AS PARQUET"]
    )
    assert transport.execute(f"CALL {schema}.drop_some(:minimum, 0)", {"minimum": "2"}).scalar() == 1
    assert transport.execute(f"SELECT a FROM {schema}.t").rows == ((1,),)


def test_a_write_conflict_is_retried(transport: Warehouse, warehouse: Scratch, schema: str) -> None:
    transport.batch([f"CREATE TABLE {schema}.t (a BIGINT)", f"INSERT INTO {schema}.t VALUES (0)"])
    warehouse.run("BEGIN")
    warehouse.run("UPDATE t SET a = a + 1")
    threading.Timer(0.5, lambda: warehouse.run("COMMIT")).start()
    transport.execute(f"UPDATE {schema}.t SET a = a + 10")
    assert transport.execute(f"SELECT a FROM {schema}.t").scalar() == 11


def test_a_table_made_anew_is_seen_as_it_is(transport: Warehouse, schema: str) -> None:
    for columns in ("a BIGINT", "a VARCHAR(5), b BIGINT"):
        transport.execute(f"DROP TABLE IF EXISTS {schema}.t")
        transport.execute(f"CREATE TABLE {schema}.t ({columns})")
        assert len(transport.execute(f"SELECT * FROM {schema}.t").columns) == columns.count(",") + 1


def test_unnamed_columns_are_called_as_on_redshift(transport: Warehouse) -> None:
    found = transport.execute(
        "SELECT MD5('x'), NVL(1, 2), AVG(1), LISTAGG('x'), DATEDIFF(day, SYSDATE, SYSDATE), LEN('x')"
    )
    assert [column.name for column in found.columns] == [
        "md5",
        "coalesce",
        "avg",
        "listagg",
        "date_diff",
        "len",
    ]
